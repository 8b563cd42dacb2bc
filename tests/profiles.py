"""ICC profiles as cameras and programs embed them, made from primaries and a tone curve (ICC.1:2010)."""

import struct

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D65_WHITE = (0.3127, 0.3290)
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
# Chromaticities of red, green, blue and white, and the tone curve: a gamma, or the five numbers of sRGB's kind.
SPACES = {
    "display_p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65_WHITE, SRGB_CURVE),
    "adobe_rgb": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65_WHITE, 563 / 256),
    "prophoto": ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), (0.3457, 0.3585), 1.8),
    "linear_rec2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65_WHITE, 1.0),
    "srgb": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65_WHITE, SRGB_CURVE),
}


def to_xyz(x: float, y: float) -> np.ndarray:
    """The colour of a chromaticity at brightness 1."""
    return np.array([x / y, 1.0, (1 - x - y) / y])


def matrix(space: str) -> np.ndarray:
    """(3, 3): from linear RGB of a space to XYZ under D50."""
    red, green, blue, white, _ = SPACES[space]
    primaries = np.stack([to_xyz(*red), to_xyz(*green), to_xyz(*blue)], axis=1)
    whole = primaries * np.linalg.solve(primaries, to_xyz(*white))
    scale = (BRADFORD @ D50) / (BRADFORD @ to_xyz(*white))
    return np.linalg.inv(BRADFORD) @ np.diag(scale) @ BRADFORD @ whole


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _curve(curve) -> bytes:
    if isinstance(curve, tuple):
        return b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + b"".join(map(_fixed, curve))
    return b"para\0\0\0\0" + struct.pack(">HH", 0, 0) + _fixed(curve)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    body, entries = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        entries += struct.pack(">4sII", name, start + len(body), len(content))
        body += content
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"\0" * 4, 0x04200000, b"mntr", space, b"XYZ ")
    header += b"\0" * 12 + b"acsp" + b"\0" * 28 + b"".join(map(_fixed, D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + body


def _text(name: str) -> bytes:
    letters = name.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">IIHHII", 1, 12, 0x656E, 0x5553, len(letters), 28) + letters


def rgb_profile(space: str) -> bytes:
    """The profile of one of ``SPACES``."""
    curve = _curve(SPACES[space][4])
    columns = {
        name: b"XYZ \0\0\0\0" + b"".join(map(_fixed, column))
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix(space).T, strict=True)
    }
    white = b"XYZ \0\0\0\0" + b"".join(map(_fixed, D50))
    return _profile(
        b"RGB ",
        {
            b"desc": _text(space),
            b"cprt": _text("none"),
            b"wtpt": white,
            **columns,
            b"rTRC": curve,
            b"gTRC": curve,
            b"bTRC": curve,
        },
    )


def grey_profile(gamma: float) -> bytes:
    """The profile of a grey whose tone curve is that gamma."""
    white = b"XYZ \0\0\0\0" + b"".join(map(_fixed, D50))
    return _profile(b"GRAY", {b"desc": _text("grey"), b"cprt": _text("none"), b"wtpt": white, b"kTRC": _curve(gamma)})


def _decode(values: np.ndarray, curve) -> np.ndarray:
    if not isinstance(curve, tuple):
        return values**curve
    gamma, a, b, c, d = curve
    return np.where(values >= d, (a * values + b) ** gamma, c * values)


def _encode(values: np.ndarray, curve) -> np.ndarray:
    values = values.clip(0, 1)
    if not isinstance(curve, tuple):
        return values ** (1 / curve)
    gamma, a, b, c, d = curve
    return np.where(values >= c * d, (values ** (1 / gamma) - b) / a, values / c)


def in_space(pixels: np.ndarray, space: str) -> np.ndarray:
    """(H, W, 3) uint8 sRGB as the numbers that show the same colours in another space, uint8."""
    linear = _decode(pixels / 255, SRGB_CURVE) @ np.linalg.solve(matrix(space), matrix("srgb")).T
    return (255 * _encode(linear, SPACES[space][4])).round().astype(np.uint8)


def from_space(pixels: np.ndarray, space: str) -> np.ndarray:
    """(H, W, 3) uint8 of a space in sRGB, uint8."""
    linear = _decode(pixels / 255, SPACES[space][4]) @ np.linalg.solve(matrix("srgb"), matrix(space)).T
    return (255 * _encode(linear, SRGB_CURVE)).round().astype(np.uint8)
