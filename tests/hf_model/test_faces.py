import types

import numpy as np
import PIL.Image
import pytest

from hf_model.faces import LANDMARKS, Face, FaceDetector, chip_square, crop_square, overlaps

# Landmarks in a cross, the nose in its middle, the eyes at the ends of its beam.
CENTRED = {"side": {"eyes": 1.0}, "centre": {"nose": 1.0}, "offset_x": 0.0, "offset_y": 0.0}


def face(x, y, arm, score=1.0, box=None):
    """A face whose square, under CENTRED, has the centre (x, y) and the side 2 * arm."""
    landmarks = ((x - arm, y), (x + arm, y), (x, y), (x, y - arm), (x, y + arm))
    return Face(*(box or (x - arm, y - arm, 2 * arm, 2 * arm)), score, landmarks)


def numbered(width, height):
    """A picture whose pixel at (x, y) is (x, y, 0)."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.meshgrid(np.arange(width), np.arange(height))
    return PIL.Image.fromarray(pixels)


def test_the_crop_is_a_square_around_the_landmarks():
    crop = crop_square(numbered(200, 200), face(70, 90, 30), CENTRED)
    assert crop.size == (60, 60)
    assert np.asarray(crop)[0, 0].tolist() == [40, 60, 0]
    assert np.asarray(crop)[-1, -1].tolist() == [99, 119, 0]


def test_wide_and_tall_boxes_are_never_squeezed():
    for width, height in ((80, 20), (20, 80)):
        found = face(100, 100, 40, box=(100 - width / 2, 100 - height / 2, width, height))
        pixels = np.asarray(crop_square(numbered(200, 200), found, CENTRED))
        assert pixels.shape[:2] == (80, 80)
        assert np.ptp(pixels[..., 0]) == np.ptp(pixels[..., 1]) == 79


def test_scale_and_offset_come_from_the_constants():
    half = CENTRED | {"side": {"eyes": 0.125, "mouth": 0.125}, "offset_x": -0.5, "offset_y": 0.25}
    crop = crop_square(numbered(200, 200), face(100, 100, 20), half)
    assert crop.size == (20, 20)
    assert np.asarray(crop)[10, 10].tolist() == [90, 105, 0]


def test_side_and_centre_are_the_weighted_landmarks():
    found = Face(0, 0, 1, 1, 1.0, ((0.0, 0.0), (8.0, 0.0), (4.0, 3.0), (1.0, 6.0), (7.0, 6.0)))
    weights = {"eyes": 1, "mouth": 10, "eye_nose": 100, "mouth_nose": 1000, "eye_mouth": 1e4, "eye_mouth_across": 1e5}
    crop = {"side": weights, "centre": {"eyes": 0.5, "nose": 0.25, "mouth": 0.25}, "offset_x": 0, "offset_y": 0}
    side = (64 + 10 * 36 + 100 * 25 + 1000 * 18 + 1e4 * 37 + 1e5 * 85) ** 0.5
    left, top, found_side = chip_square(found, crop)
    assert found_side == round(side)
    assert (left + found_side / 2, top + found_side / 2) == pytest.approx((4, 2.25), abs=0.5)


@pytest.mark.parametrize(("left", "top"), [(-30, -20), (180, 10), (10, 190), (170, 170)])
def test_beyond_the_photo_its_edge_is_repeated(left, top):
    pixels = np.asarray(crop_square(numbered(200, 200), face(left + 30, top + 30, 30), CENTRED))
    assert pixels.shape == (60, 60, 3)
    assert np.array_equal(pixels[..., 0], np.broadcast_to(np.clip(left + np.arange(60), 0, 199), (60, 60)))
    assert np.array_equal(pixels[..., 1], np.broadcast_to(np.clip(top + np.arange(60), 0, 199)[:, None], (60, 60)))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (face(100, 100, 30), True),
        (face(-20, 100, 30), True),
        (face(-40, 100, 30), False),
        (face(100, 240, 30), False),
        (face(100, 100, 30, box=(-50, 10, 20, 20)), False),
        (face(-90, 100, 30, box=(10, 10, 20, 20)), False),
    ],
)
def test_a_face_outside_the_photo_is_known_as_such(found, expected):
    assert overlaps(numbered(200, 200), found, CENTRED) is expected


class OneAnswer:
    """A detector that always finds the same, and refines the landmarks to those in the middle of the square."""

    def __init__(self, **item):
        self.item = item
        self.stages = [types.SimpleNamespace(model=self.landmarks)]

    def landmarks(self, patches):
        assert patches.shape[1:] == (48, 48, 3)
        assert np.abs(patches).max() <= 1
        x, y = [0.3, 0.7, 0.5, 0.35, 0.65], [0.3, 0.3, 0.5, 0.8, 0.8]
        return None, np.tile(np.float32(x + y), (len(patches), 1)), None

    def detect_faces(self, image, **options):
        return [self.item]


def test_empty_boxes_and_fallen_together_landmarks_are_no_faces():
    photo = numbered(200, 200)
    points = {name: [100 + i, 90 + i * i] for i, name in enumerate(LANDMARKS)}
    cases = [
        ({}, 1),
        ({"box": [90, 90, 0, 20]}, 0),
        ({"box": [float("nan"), 90, 20, 20]}, 0),
        ({"keypoints": {name: [100, 100] for name in points}}, 0),
        ({"keypoints": {**points, "nose": [float("inf"), 0]}}, 0),
        ({"confidence": 0.5}, 0),
        ({"box": [90, 90, 19, 19]}, 0),  # below the smallest face of 20 pixels
    ]
    for change, count in cases:
        detector = FaceDetector(640, 20, 0.9, 4.0)
        detector._mtcnn = OneAnswer(**{"box": [90, 90, 20, 20], "confidence": 0.99, "keypoints": points, **change})
        assert len(detector(photo)) == count


def test_landmarks_are_refined_on_the_square_and_its_mirror_image():
    detector = FaceDetector(640, 20, 0.9, 5.0)
    detector._mtcnn = OneAnswer()
    inside, outside = face(100, 90, 20), face(-500, 90, 20)
    refined, unchanged = detector.refine(numbered(200, 200), [inside, outside])
    assert unchanged == outside
    side = round(5 * 20 * 0.8**0.5)  # the spread of a cross is its arm times sqrt(0.8)
    left, top = round(100 - side / 2), round(90 - side / 2)
    expected = [(0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.35, 0.8), (0.65, 0.8)]
    assert np.allclose(refined.landmarks, [(left + x * side, top + y * side) for x, y in expected], atol=1e-3)
    assert (refined.left, refined.score) == (inside.left, inside.score)


def test_the_reported_box_is_whole_pixels_inside_the_image():
    box = face(50, 50, 5, box=(-5.4, 10.6, 300, 20.2)).clipped(100, 80)
    assert box == {"xmin": 0, "ymin": 11, "xmax": 100, "ymax": 31}
    assert all(type(value) is int for value in box.values())


def test_every_small_size_and_every_smallest_face_is_survived(predictor, astronaut):
    """MTCNN's pyramid of scales has its edge cases; none may raise."""
    face_alone = astronaut.crop((160, 50, 290, 190))
    for side in [*range(18, 64, 3), 97, 131]:
        for size in ((side, side), (side, 3 * side)):
            predictor.detector(face_alone.resize(size))
    for smallest in (12, 20, 33, 60, 200):
        detector = FaceDetector(640, smallest, 0.9, 4.0)
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
