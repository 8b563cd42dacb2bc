"""Every face, and no other: turned, tilted, small, poorly lit, on pictures made from one photo."""

import math

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter
import pytest

from hf_model import AgeGenderPredictor
from hf_model.faces.detector import FaceDetector
from hf_model.faces.face import LANDMARKS, Face, chip_square
from hf_model.network.engines.keras_engine import KerasEngine
from hf_model.pictures.changes import brightness, contrast
from hf_model.settings import Detection
from tests.faceless import faceless_pictures

QUARTERS = {90: PIL.Image.Transpose.ROTATE_90, 180: PIL.Image.Transpose.ROTATE_180, 270: PIL.Image.Transpose.ROTATE_270}
# The 0.1.0 detector's faces on the pictures of tests/faceless.py (2 on the same ones at up to 1,411 pixels, now none).
FALSE_FACES_BEFORE = 0


def paste_faces(astronaut, size, boxes, seed=0):
    """The astronaut's head pasted on a smooth picture, its face's box at each (left, top, width)."""
    random = np.random.default_rng(seed)
    coarse = random.integers(60, 190, (size[1] // 64 + 1, size[0] // 64 + 1, 3), dtype=np.uint8)
    picture = PIL.Image.fromarray(coarse).resize(size, PIL.Image.Resampling.BICUBIC)
    for left, top, width in boxes:
        scale = width / 83  # the face's box is 83 pixels wide, at (182, 64)
        head = astronaut.crop((140, 20, 290, 200)).resize((round(150 * scale), round(180 * scale)), 1)
        mask = PIL.Image.new("L", head.size)
        PIL.ImageDraw.Draw(mask).ellipse((2, 2, head.width - 2, head.height - 2), fill=255)
        mask = mask.filter(PIL.ImageFilter.GaussianBlur(4 * scale))
        picture.paste(head, (round(left - 42 * scale), round(top - 44 * scale)), mask)
    return picture


def overlap(face, left, top, width, height):
    """Intersection over union of a face's box and another."""
    across = min(face.left + face.width, left + width) - max(face.left, left)
    down = min(face.top + face.height, top + height) - max(face.top, top)
    both = max(across, 0) * max(down, 0)
    return both / (face.width * face.height + width * height - both)


def check_all_found(faces, boxes):
    """Each pasted face once, and nothing else."""
    assert len(faces) == len(boxes)
    for left, top, width in boxes:
        assert sum(overlap(face, left, top, width, width * 107 / 83) > 0.5 for face in faces) == 1


@pytest.fixture(scope="module")
def upright(predictor, astronaut):
    """The astronaut's face and the square that frames it."""
    (face,) = predictor.detector(astronaut)
    return face, chip_square(face, predictor.settings.crop)


def turn(astronaut, degrees):
    """The photo turned counter-clockwise, and where a point of it went."""
    if degrees in QUARTERS:
        picture = astronaut.transpose(QUARTERS[degrees])
    else:
        picture = astronaut.rotate(degrees, PIL.Image.Resampling.BICUBIC, expand=True, fillcolor=(90, 90, 90))
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def moved(x, y):
        x, y = x - astronaut.width / 2, y - astronaut.height / 2
        return cos * x + sin * y + picture.width / 2, cos * y - sin * x + picture.height / 2

    return picture, moved


@pytest.mark.parametrize("degrees", [90, 180, 270, *range(-60, 61, 10)])
def test_turned_and_tilted_faces_are_found_and_framed_as_the_upright_one(predictor, astronaut, upright, degrees):
    face, square = upright
    picture, moved = turn(astronaut, degrees)
    (found,) = predictor.detector(picture)
    assert found.rotation == ((-degrees) % 360 if degrees in QUARTERS else 0)
    framed = chip_square(found, predictor.settings.crop)
    x, y = moved(square.x, square.y)
    assert math.hypot(framed.x - x, framed.y - y) < 0.03 * square.side
    assert framed.side == pytest.approx(square.side, rel=0.03)
    # Level: the eyes' line lies in the square as it does in the upright photo.
    assert abs((framed.roll - (square.roll - degrees) + 180) % 360 - 180) < 3
    if degrees in QUARTERS:
        corners = [moved(face.left, face.top), moved(face.left + face.width, face.top + face.height)]
        (left, top), (right, bottom) = np.min(corners, axis=0), np.max(corners, axis=0)
        assert overlap(found, left, top, right - left, bottom - top) >= 0.7
    else:
        middle = moved(face.left + face.width / 2, face.top + face.height / 2)
        assert math.dist(middle, (found.left + found.width / 2, found.top + found.height / 2)) < 0.25 * face.width


@pytest.mark.parametrize("degrees", QUARTERS)
def test_a_quarter_turn_does_not_change_the_answer(predictor, astronaut, degrees):
    (plain,) = predictor(astronaut)
    (turned,) = predictor(astronaut.transpose(QUARTERS[degrees]))
    assert turned.rotation == 360 - degrees
    assert abs(turned.age - plain.age) < 1
    assert (turned.female_probability >= 0.5) == (plain.female_probability >= 0.5)


def test_small_faces_on_a_large_photo_are_found_once_each(predictor, astronaut):
    boxes = [(300 + 800 * column, 250 + 560 * row, 80) for column in range(5) for row in range(5)]
    check_all_found(predictor.detector(paste_faces(astronaut, (4000, 3000), boxes)), boxes)


def test_a_wide_crowd_is_found_and_touching_faces_stay_two(predictor, astronaut):
    random = np.random.default_rng(3)
    boxes = [
        (60 + n % 10 * 200 + across, 80 + n // 10 * 290 + down, width)
        for n, (across, down, width) in enumerate(random.integers((0, 0, 40), (60, 80, 76), (29, 3)).tolist())
    ]
    check_all_found(predictor.detector(paste_faces(astronaut, (2048, 922), boxes)), boxes)
    touching = [(100, 100, 80), (182, 100, 80), (600, 300, 50), (651, 300, 50)]
    check_all_found(predictor.detector(paste_faces(astronaut, (1200, 800), touching)), touching)


def test_a_large_face_costs_no_finer_look(predictor, astronaut, monkeypatch):
    looks = []
    detect = predictor.detector._detect
    monkeypatch.setattr(predictor.detector, "_detect", lambda seen, **k: looks.append(seen.size) or detect(seen, **k))
    predictor.detector(astronaut.resize((2000, 2000)))
    assert looks == [(640, 640)]


@pytest.mark.parametrize(
    "change", [lambda p: brightness(p, 2), lambda p: brightness(p, 0.05), lambda p: contrast(brightness(p, 1.6), 0.06)]
)
def test_poor_light_hides_no_face(predictor, astronaut, upright, change):
    _, square = upright
    (found,) = predictor.detector(change(astronaut))
    framed = chip_square(found, predictor.settings.crop)
    assert math.hypot(framed.x - square.x, framed.y - square.y) < 0.08 * square.side
    assert framed.side == pytest.approx(square.side, rel=0.08)


@pytest.mark.timeout(600)
def test_pictures_without_a_face_have_no_more_faces_than_before(root):
    pytest.importorskip("onnxruntime", reason="an extra that is not installed")
    predictor = AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx")  # three times as fast at this
    assert sum(len(predictor.detector(picture)) for picture in faceless_pictures()) <= FALSE_FACES_BEFORE


class OneAnswer:
    """MTCNN as far as it is used: always finds the same, and refines the landmarks to given places of the square."""

    def __init__(self, level=1.0, **item):
        self.item, self.level = item, level

    def output(self, patches):
        assert patches.shape[1:] == (48, 48, 3)
        assert np.abs(patches).max() <= 1
        x, y = [0.3, 0.7, 0.5, 0.35, 0.65], [0.3, 0.3, 0.5, 0.8, 0.8]
        scores = np.tile(np.float32([1 - self.level, self.level]), (len(patches), 1))
        return {"landmarks": np.tile(np.float32(x + y), (len(patches), 1)), "faces": scores}

    def detect_faces(self, image, **options):
        return [self.item]


POINTS = dict(zip(LANDMARKS, [(95, 95), (105, 95), (100, 100), (96, 106), (104, 106)], strict=True))


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({}, 1),
        ({"box": [90, 90, 0, 20]}, 0),
        ({"box": [float("nan"), 90, 20, 20]}, 0),
        ({"keypoints": dict.fromkeys(POINTS, (100, 100))}, 0),
        ({"keypoints": {**POINTS, "nose": [float("inf"), 0]}}, 0),
        ({"confidence": 0.5}, 0),
        ({"box": [90, 90, 19, 19]}, 0),  # below the smallest face of 20 pixels
        ({"level": 0.97}, 1),  # likely, for its score
        ({"level": 0.97, "confidence": 0.85}, 0),
        ({"level": 0.3}, 0),
        ({"level": 0.99, "confidence": 0.85}, 1),
    ],
)
def test_what_is_none_is_left_out(change, count):
    detector = FaceDetector(
        Detection(640, 20, 0.8, 4.0, sure_verification=0.98, likely_verification=0.5, likely_score=0.9, most_roll=70),
        KerasEngine().detector,
    )
    detector._mtcnn = OneAnswer(**{"box": [90, 90, 20, 20], "confidence": 0.99, "keypoints": POINTS, **change})
    assert len(detector(PIL.Image.new("RGB", (200, 200)))) == count


def test_landmarks_are_refined_on_a_level_square_and_its_mirror_image():
    detector = FaceDetector(Detection(640, 20, 0.9, 5.0), KerasEngine().detector)
    detector._mtcnn = OneAnswer(level=0.75)
    inside = Face.from_mtcnn({"box": [90, 90, 20, 20], "confidence": 0.9, "keypoints": POINTS})
    outside = inside.shifted(-500, 0)
    refined, unchanged = detector.refine(PIL.Image.new("RGB", (200, 200)), [inside, outside])
    assert unchanged == outside
    points = np.array(list(POINTS.values()), float)
    side = 5 * np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean())
    # The patch and its mirror image are both told the same places, which are nearly symmetrical.
    expected = (np.array([(0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.35, 0.8), (0.65, 0.8)]) - 0.5) * side
    assert np.allclose(refined.landmarks, points.mean(axis=0) + expected, atol=0.05)
    assert (refined.left, refined.score, refined.verification_score) == (inside.left, inside.score, 0.75)


def test_every_small_size_and_every_smallest_face_is_survived(predictor, astronaut):
    """MTCNN's pyramid of scales has its edge cases; none may raise."""
    face_alone = astronaut.crop((160, 50, 290, 190))
    for side in [*range(18, 64, 3), 97, 131]:
        for size in ((side, side), (side, 3 * side)):
            predictor.detector(face_alone.resize(size))
    for smallest in (12, 20, 33, 60, 200):
        detector = FaceDetector(Detection(640, smallest, 0.9, 4.0), KerasEngine().detector)
        detector._mtcnn = predictor.detector.load()
        assert len(detector(astronaut)) == (smallest < 100)


def test_the_compiled_networks_find_what_mtcnn_itself_finds(predictor, astronaut):
    import mtcnn

    (expected,) = mtcnn.MTCNN().detect_faces(np.asarray(astronaut), fit_to_image=False)
    (found,) = predictor.detector(astronaut)
    assert (found.left, found.top, found.width, found.height) == pytest.approx(expected["box"], abs=1)
    assert found.score == pytest.approx(expected["confidence"], abs=1e-4)
    points = np.array([expected["keypoints"][name] for name in LANDMARKS])
    assert np.abs(found.landmarks - points).max() < 0.05 * found.width  # refined
