"""PNG files with more text than Pillow reads: the text is cut out of the bytes, never inflated, and Pillow's limit
stays."""

import struct

START = b"\x89PNG\r\n\x1a\n"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def without_text(data: bytes) -> bytes | None:
    """A PNG file's bytes without their text chunks; None where it is no PNG file, or holds none.

    Source: PNG (third edition), W3C 2025: chunks of length, kind, content and checksum.
    """
    if not data.startswith(START):
        return None
    parts, place, found = [START], len(START), False
    while len(head := data[place : place + 8]) == 8:
        length, kind = struct.unpack(">I4s", head)
        end = place + 12 + length
        if kind in TEXTS:
            found = True
        else:
            parts.append(data[place:end])
        place = end
    return b"".join(parts) if found else None
