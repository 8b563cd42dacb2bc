"""What is known of the processor."""

import pathlib

CPUINFO = pathlib.Path("/proc/cpuinfo")


def multiplies_bfloat16(cpuinfo: pathlib.Path = CPUINFO) -> bool:
    """Whether the processor is known to multiply bfloat16 itself."""
    try:
        flags = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def lacks_vnni(cpuinfo: pathlib.Path = CPUINFO) -> bool | None:
    """Whether an x86 processor lacks VNNI, without which sums of int8 products may overflow in 16 bits.

    None where that is not known: outside Linux, and of other processors, which sum otherwise.
    """
    try:
        flags = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return "vnni" not in flags if "avx2" in flags else None
