import numpy as np
import PIL.Image
import pytest

from hf_model import InvalidImageError
from hf_model.bulk.safe_reader import SafeReader
from hf_model.pictures.images import read_image
from tests.corpus import make_files

LIMIT = 50_000_000
# A decoder that dies of some pictures, by their names.
DEADLY = """
import os, sys, time
sys.path.insert(0, {root!r})
from hf_model.pictures import images

def read_image(source, max_pixels, formats):
    name = os.path.basename(source) if isinstance(source, str) else ""
    if name.startswith("exits"):
        os._exit(7)
    if name.startswith("eats"):
        taken = []
        while True:
            taken.append(bytearray(64 << 20))
    if name.startswith("hangs"):
        time.sleep(600)
    return images.read_image(source, max_pixels, formats)
"""


@pytest.fixture
def deadly(root, tmp_path):
    """A file with a reader that dies of pictures whose names start with "exits", "eats" or "hangs"."""
    path = tmp_path / "deadly.py"
    path.write_text(DEADLY.format(root=str(root)))
    return path


def test_pictures_come_through_the_child_as_they_are(astronaut, tmp_path):
    reader = SafeReader(LIMIT)
    astronaut.save(tmp_path / "photo.png")
    for source in (tmp_path / "photo.png", (tmp_path / "photo.png").read_bytes()):
        assert np.array_equal(np.asarray(reader.read(source)), np.asarray(astronaut))
    reader.close()


def test_every_odd_file_is_what_reading_it_here_says(astronaut, tmp_path):
    reader = SafeReader(LIMIT)

    def outcome(read, path):
        try:
            return np.asarray(read(path)).tobytes()
        except InvalidImageError as error:
            return str(error)

    for path in make_files(tmp_path, astronaut.resize((64, 64))):
        assert outcome(reader.read, path) == outcome(lambda path: read_image(path, LIMIT), path), path
    reader.close()


@pytest.mark.parametrize(
    ("name", "seconds", "reason"),
    [
        ("exits.png", 30, r"crashes its decoder \(exit code 7\)"),
        ("eats.png", 60, "takes more than 2 GB"),
        ("hangs.png", 1, "longer than 1 s"),
    ],
)
def test_a_picture_that_kills_its_decoder_costs_itself_alone(deadly, tmp_path, name, seconds, reason):
    reader = SafeReader(LIMIT, seconds=seconds, memory_gb=2, reader=deadly)
    for file in (name, "good.png"):
        PIL.Image.new("RGB", (30, 20), "red").save(tmp_path / file)
    with pytest.raises(InvalidImageError, match=reason):
        reader.read(tmp_path / name)
    reader.seconds = 60
    assert reader.read(tmp_path / "good.png").size == (30, 20)
    reader.close()
