"""Folders, names, consoles and files as people really have them: read right, or refused in one sentence."""

import io
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import zlib

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest

from hf_model import AgeGenderPredictor, InvalidImageError
from hf_model.pictures.folders import list_files
from hf_model.pictures.images import picture_endings, read_image

LIMIT = 50_000_000
COMMAND = [sys.executable, "-m", "hf_model"]


@pytest.fixture(scope="module")
def fast(root):
    pytest.importorskip("onnxruntime")
    return AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx")


@pytest.fixture(scope="module")
def graphs(fast, root):
    """The kept graphs of what the command line takes: no line about building stands in what it says."""
    AgeGenderPredictor.from_pretrained(root / "hf_model")


def run(root, *arguments, **options):
    options = {"capture_output": True, "text": True, "check": False} | options
    return subprocess.run([*COMMAND, *map(str, arguments)], cwd=root, **options)


def png(picture: PIL.Image.Image, *chunks: tuple[bytes, bytes], behind: bool = False) -> bytes:
    """A PNG file with further chunks before its pixels, or behind them."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    data = buffer.getvalue()
    more = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    place = data.rindex(struct.pack(">I", 0) + b"IEND") if behind else data.index(b"IDAT") - 4
    return data[:place] + more + data[place:]


LONG = b"prompt\0\0" + zlib.compress(b"a castle, " * 200_000)


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize(
    "chunks",
    [
        [(b"zTXt", LONG)],
        [(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"{}" * 900_000))],
        [(b"tEXt", b"note\0" + b"x" * 1_000_000)] * 70,
    ],
)
def test_a_png_file_with_more_text_than_pillow_reads(astronaut, chunks, behind):
    data = png(astronaut.resize((64, 64)), *chunks, behind=behind)
    read = read_image(data, LIMIT)
    assert np.array_equal(np.asarray(read), np.asarray(astronaut.resize((64, 64))))
    assert PIL.PngImagePlugin.MAX_TEXT_CHUNK == 1024 * 1024  # Pillow's limit stays
    broken = data[: len(data) // 2] if behind else data[:-200]
    with pytest.raises(InvalidImageError, match="broken or incomplete"):
        read_image(broken, LIMIT)


def test_a_file_object_that_was_read_to_its_end(fast, astronaut, tmp_path):
    buffer = io.BytesIO()
    astronaut.save(buffer, "PNG")
    expected = fast(astronaut)
    assert buffer.read() == b""
    assert fast(buffer) == fast([buffer])[0] == expected  # wound back, both times
    path = tmp_path / "a.png"
    path.write_bytes(buffer.getvalue())
    with path.open("rb") as file:
        file.read()
        assert fast(file) == expected
    reading, writing = os.pipe()
    os.write(writing, b"x")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        pipe.read()
        with pytest.raises(InvalidImageError, match=r"read to its end before: seek\(0\)"):
            fast(pipe)


@pytest.mark.parametrize(("scale", "dtype"), [(1 / 255, "float32"), (1, "float64"), (1, "float16")])
def test_float_arrays_are_told_apart_and_the_advice_works(fast, astronaut, scale, dtype):
    array = (np.asarray(astronaut) * scale).astype(dtype)
    with pytest.raises(InvalidImageError) as caught:
        fast(array)
    advice = str(caught.value).partition("such by ")[2]
    whole = eval(advice, {"array": array, "np": np})
    assert np.array_equal(whole, np.asarray(astronaut))
    assert fast(whole) == fast(np.asarray(astronaut))


def test_what_a_folder_holds(tmp_path):
    endings = picture_endings(("JPEG", "PNG", "HEIF"))
    assert {".jpg", ".jpeg", ".png", ".heic"} <= endings
    assert ".eps" not in endings
    names = ["b.jpg", "a/2.PNG", "a/1.heic", "._b.jpg", ".trash/c.jpg", "a/.deep/d.jpg", "note.txt", "e.eps", "f.pdf"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "again").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing")
    found = list_files(tmp_path, endings)
    assert list(found) == ["a/1.heic", "a/2.PNG", "b.jpg", "gone.jpg"]  # the link "again" leads where "a" is
    elsewhere = tmp_path.parent / f"{tmp_path.name}-linked"
    elsewhere.mkdir()
    (elsewhere / "x.jpg").write_bytes(b"")
    (tmp_path / "linked").symlink_to(elsewhere)
    assert "linked/x.jpg" in list_files(tmp_path, endings)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("drawing.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n"),
        ("film.mpg", b"\x00\x00\x01\xb3\x14\x00\xf0"),
        ("data.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100),
        ("looks.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n"),
    ],
)
def test_what_is_no_photo_is_not_given_to_its_decoder(fast, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    for given in (tmp_path / name, content):
        with pytest.raises(InvalidImageError, match="not a picture in a known format"):
            fast(given)


def test_names_that_are_no_text_and_consoles_that_lack_letters(root, graphs, astronaut, tmp_path):
    names = [b"a\xff.png", "日本.png".encode(), b"back\\slash.png"]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            astronaut.save(file, "PNG")
    result = run(root, tmp_path, "--json", text=False)
    assert (result.returncode, result.stderr) == (0, b"")
    told = [json.loads(line)["image"] for line in result.stdout.splitlines()]
    assert sorted(os.path.basename(os.fsencode(name)) for name in told) == sorted(names)
    result = run(root, tmp_path, env={**os.environ, "PYTHONIOENCODING": "cp1252"}, text=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert rb"\u65e5\u672c.png: age" in result.stdout


def test_a_link_to_nothing_and_the_home_are_understood(root, graphs, astronaut, tmp_path):
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    astronaut.save(tmp_path / "photo.png")
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "HF_HOME": os.environ.get("HF_HOME", os.path.expanduser("~/.cache/huggingface")),
    }
    result = run(root, "~/photo.png", "~/gone.jpg", env=environment)
    assert result.returncode == 2
    assert "photo.png: age" in result.stdout
    assert "gone.jpg: is a link to nothing" in result.stderr


def test_a_reader_that_goes_ctrl_c_and_a_closed_stderr_end_quietly(root, graphs, astronaut, tmp_path):
    for number in range(3):
        astronaut.save(tmp_path / f"{number}.png")
    command = " ".join([*COMMAND, str(tmp_path)])
    result = subprocess.run(
        ["bash", "-c", f"{command} | head -0; echo ${{PIPESTATUS[0]}}"], cwd=root, capture_output=True, text=True
    )
    assert (result.stdout.strip(), result.stderr) == ("141", "")
    result = subprocess.run(["bash", "-c", f"{command} 2>&-"], cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert result.stdout.count("age") == 3
    many = [*COMMAND, *[str(tmp_path / "0.png")] * 3000]
    restored = {
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    }  # a test in the background ignores it
    with subprocess.Popen(
        many, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **restored
    ) as process:
        assert "age" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_without_a_home_that_can_be_written_to_it_answers_and_creates_nothing(root, astronaut, tmp_path):
    pytest.importorskip("onnx")
    astronaut.save(tmp_path / "photo.png")
    environment = {**os.environ, "HOME": "/dev/null/home", "HF_HOME": "/dev/null/hf", "KERAS_HOME": "/dev/null/keras"}
    for engine in ("auto", "keras"):
        result = run(root, tmp_path / "photo.png", "--engine", engine, env=environment)
        assert result.returncode == 0, result.stderr
        assert "photo.png: age" in result.stdout
        assert result.stderr.count("cannot be kept") == (engine == "auto")
        assert "Traceback" not in result.stderr
    code = (
        "from hf_model.network.engines.choice import choose_engine; from hf_model.settings import Settings; import "
        "pathlib;"
        "folder = pathlib.Path('hf_model'); print(choose_engine(Settings.load(folder), folder))"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf")}
    subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, check=True, capture_output=True)
    assert not (tmp_path / "hf").exists()  # looking creates nothing


def test_a_folder_that_holds_none_says_so(root, graphs, tmp_path):
    (tmp_path / "note.txt").write_text("none")
    result = run(root, tmp_path)
    assert (result.returncode, result.stderr.strip()) == (2, f"{tmp_path}: no picture files in there")


def test_the_path_of_a_home_in_python(fast, astronaut, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    astronaut.save(tmp_path / "a.png")
    assert fast("~/a.png") == fast(pathlib.Path("~/a.png")) == fast(astronaut)
    with pytest.raises(InvalidImageError, match="no such file"):
        fast("~nobody-of-that-name/a.png")


def test_the_default_is_a_fast_engine_and_silent(root, graphs, astronaut, tmp_path):
    astronaut.save(tmp_path / "photo.png")
    code = (
        "from hf_model import AgeGenderPredictor; predictor = AgeGenderPredictor.from_pretrained('hf_model');"
        f"print(predictor.engine, len(predictor({str(tmp_path / 'photo.png')!r})))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert result.stdout.split()[0].split("/")[0] in ("openvino", "onnx")
