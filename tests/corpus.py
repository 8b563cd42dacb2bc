"""Bad, odd and hostile pictures, made on the spot: what a predictor and a server must survive."""

import io
import os
import pathlib
import struct
import zipfile
import zlib

import numpy as np
import PIL.Image


def encoded(image: PIL.Image.Image, kind: str, **options) -> bytes:
    """A picture as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_claiming(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG whose header claims a size, with little or nothing behind it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def make_files(folder: pathlib.Path, photo: PIL.Image.Image) -> list[pathlib.Path]:
    """Writes at least sixty odd files.

    Args:
        folder: an existing, empty folder.
        photo: a real photo to damage.
    """
    jpeg, png = encoded(photo, "JPEG"), encoded(photo.resize((96, 96)), "PNG")
    random = np.random.default_rng(0)
    files: dict[str, bytes] = {}
    for tenth in range(10):
        files[f"cut_{tenth}0_percent.jpg"] = jpeg[: len(jpeg) * tenth // 10]
        files[f"cut_{tenth}0_percent.png"] = png[: len(png) * tenth // 10]
    for number in range(20):
        flipped = bytearray(jpeg)
        for position in random.integers(0, len(jpeg), 1 + number * 3):
            flipped[position] ^= 1 << int(random.integers(0, 8))
        files[f"bits_flipped_{number:02d}.jpg"] = bytes(flipped)
    files |= {
        "text.jpg": b"this is not a picture",
        "html.png": b"<!doctype html><title>no</title>",
        "svg.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>',
        "png_named.jpg": png,
        "jpeg_named.gif": jpeg,
        "zeros.jpg": bytes(4096),
        "noise.jpg": random.bytes(4096),
        "only_the_magic.jpg": b"\xff\xd8\xff\xe0",
        "no_name_ending": jpeg,
        "trailing_garbage.jpg": jpeg + b"garbage" * 1000,
        "one_pixel.png": encoded(PIL.Image.new("RGB", (1, 1)), "PNG"),
        "very_tall.png": encoded(PIL.Image.new("RGB", (1, 20000)), "PNG"),
        "very_wide.png": encoded(PIL.Image.new("RGB", (20000, 1)), "PNG"),
        "claims_30000_square.png": png_claiming(30000, 30000),
        "claims_8000_square.png": png_claiming(8000, 8000, zlib.compress(b"\0" * 100)),
        "claims_nothing.png": png_claiming(0, 0),
        "bomb_6900_square.png": encoded(PIL.Image.new("1", (6900, 6900)), "PNG"),
        "bomb_in_text.png": png[:-12] + _text_bomb() + png[-12:],
        "bomb_frames.gif": encoded(
            PIL.Image.new("P", (2000, 2000)),
            "GIF",
            save_all=True,
            append_images=[PIL.Image.new("P", (2000, 2000), 1)] * 5,
        ),
        "float.tiff": encoded(PIL.Image.new("F", (40, 40), 0.5), "TIFF"),
        "sixteen_bit.png": encoded(PIL.Image.fromarray(np.full((40, 40), 40000, np.uint16)), "PNG"),
        "cmyk.jpg": encoded(photo.convert("CMYK").resize((64, 64)), "JPEG"),
        "palette.gif": encoded(photo.convert("P").resize((64, 64)), "GIF"),
        "transparent.png": encoded(photo.convert("RGBA").resize((64, 64)), "PNG"),
        "bilevel.tiff": encoded(photo.convert("1").resize((64, 64)), "TIFF"),
        "grey_alpha.png": encoded(photo.convert("LA").resize((64, 64)), "PNG"),
        "animated.webp": encoded(photo.resize((64, 64)), "WEBP", save_all=True, append_images=[photo.resize((64, 64))]),
        "exif_broken.jpg": jpeg[:2] + b"\xff\xe1\x00\x10Exif\0\0MM\0*\xff\xff\xff\xff" + jpeg[2:],
        "имя на русском.jpg": jpeg,
        "写真 📷 'quote\" & <b>.jpg": jpeg,
        "...jpg": jpeg,
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("zeros", bytes(30_000_000))
    files["zip_bomb.jpg"] = archive.getvalue()
    written = []
    for name, data in files.items():
        (folder / name).write_bytes(data)
        written.append(folder / name)
    return written


def make_odd_paths(folder: pathlib.Path) -> list[pathlib.Path | str]:
    """Paths that are no ordinary files."""
    (folder / "a_folder.jpg").mkdir()
    os.symlink(folder / "loop_b.jpg", folder / "loop_a.jpg")
    os.symlink(folder / "loop_a.jpg", folder / "loop_b.jpg")
    os.symlink(folder / "nowhere", folder / "dangling.jpg")
    os.mkfifo(folder / "pipe.jpg")
    names = ("a_folder.jpg", "loop_a.jpg", "dangling.jpg", "pipe.jpg", "missing.jpg", "x" * 300 + ".jpg")
    return [*(folder / name for name in names), "", ".", "/dev/zero", "a\0b.jpg", "file:///etc/passwd", "~/photo.jpg"]


def odd_values() -> list:
    """Python values that are no picture files: arrays of every wrong kind, and things that are not images."""
    rgb = np.random.default_rng(1).integers(0, 256, (60, 50, 3), dtype=np.uint8)
    return [
        rgb,
        rgb[::-1],
        rgb[:, ::-1],
        rgb[::2, ::3],
        np.asfortranarray(rgb),
        rgb[..., ::-1],
        np.full((20, 20, 3), np.nan, np.float32),
        rgb.astype(np.float32) / 255,
        rgb.astype(np.int64),
        rgb.astype(np.uint16),
        rgb > 100,
        rgb[..., 0],
        rgb[..., :2],
        rgb[None],
        rgb[:0],
        rgb[:, :0],
        np.array(5, np.uint8),
        np.array([], np.uint8),
        np.array(["a"]),
        np.array([None], object),
        np.dstack([rgb, rgb[..., :1]]),
        b"",
        bytearray(),
        memoryview(b"abc"),
        io.BytesIO(b""),
        io.StringIO("text"),
        io.BytesIO(b"abc"),
        PIL.Image.new("RGB", (0, 0)),
        PIL.Image.new("F", (9, 9)),
        PIL.Image.new("I", (9, 9), 70000),
        None,
        3,
        2.5,
        object(),
    ]


def _text_bomb() -> bytes:
    content = b"Comment\0\0" + zlib.compress(bytes(20_000_000))
    return struct.pack(">I", len(content)) + b"zTXt" + content + struct.pack(">I", zlib.crc32(b"zTXt" + content))
