"""The cascade in numpy finds what the mtcnn package finds, and its steps are those of TensorFlow that it stands for."""

import numpy as np
import PIL.Image
import pytest

from hf_model.network.engines.choice import make_engine
from hf_model.network.mtcnn.cascade import area_resized, patches, pyramid, squared, suppressed


def scenes(astronaut, count):
    """The astronaut's face some times over, of all sizes, also across the edges, on a blurred ground."""
    face = astronaut.crop((140, 0, 320, 220))
    for number in range(count):
        random = np.random.default_rng(number)
        ground = PIL.Image.fromarray(random.integers(0, 255, (8, 8, 3), dtype=np.uint8))
        scene = ground.resize(tuple(random.integers(60, 641, 2).tolist()), PIL.Image.Resampling.BILINEAR)
        for _ in range(int(random.integers(1, 5))):
            side = int(random.integers(24, 200))
            place = [int(random.integers(-side // 4, max(length - side // 2, 1))) for length in scene.size]
            scene.paste(face.resize((side, round(1.2 * side))), tuple(place))
        yield scene


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_boxes_scores_and_landmarks_are_the_packages(predictor, astronaut, engine):
    pytest.importorskip({"onnx": "onnxruntime"}.get(engine, engine), reason="an extra that is not installed")
    package, cascade = predictor.detector.load(), make_engine(engine).detector()
    found = 0
    for scene in [astronaut, *scenes(astronaut, 16)]:
        for options in ({"min_face_size": 20}, {"min_face_size": 12, "threshold_pnet": 0.4, "threshold_onet": 0.5}):
            expected = package.detect_faces(np.asarray(scene), **options)
            faces = cascade.detect_faces(np.asarray(scene), **options)
            assert len(faces) == len(expected)
            for one, other in zip(faces, expected, strict=True):
                found += 1
                assert one["confidence"] == pytest.approx(other["confidence"], abs=1e-3)
                assert np.abs(np.subtract(one["box"], other["box"])).max() <= 1
                for name, point in other["keypoints"].items():
                    assert np.abs(np.subtract(one["keypoints"][name], point)).max() <= 1
    assert found > 50
    patch = np.random.default_rng(0).uniform(-1, 1, (3, 48, 48, 3)).astype(np.float32)
    for name, values in package.output(patch).items():
        assert np.allclose(cascade.output(patch)[name], values, atol=1e-4)


@pytest.mark.parametrize("scale", [0.6, 0.42, 0.1])
def test_areas_are_averaged_as_tensorflow_does(scale):
    import tensorflow

    picture = np.random.default_rng(1).uniform(-1, 1, (97, 131, 3)).astype(np.float32)
    expected = tensorflow.image.resize(picture, (int(97 * scale), int(131 * scale)), method="area").numpy()
    assert np.allclose(area_resized(picture.transpose(0, 2, 1), scale).transpose(1, 2, 0), expected, atol=1e-5)


def test_patches_are_read_as_tensorflow_does():
    import tensorflow

    random = np.random.default_rng(2)
    picture = random.uniform(-1, 1, (80, 120, 3)).astype(np.float32)
    corners = random.uniform(-30, 110, (40, 2))
    boxes = np.concatenate([corners, corners + random.uniform(1, 60, (40, 2))], axis=1)
    fractions = boxes[:, [1, 0, 3, 2]] / [80, 120, 80, 120]
    expected = tensorflow.image.crop_and_resize(picture[None], fractions, np.zeros(40, int), (24, 24)).numpy()
    assert np.allclose(patches(picture, boxes, 24), expected, atol=1e-4)


def test_a_surer_box_suppresses_what_overlaps_it_even_where_it_goes_itself():
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10], [50, 50, 60, 60]], float)
    scores = np.array([0.9, 0.8, 0.7, 0.95])
    assert suppressed(boxes, scores, 0.4).tolist() == [3, 0]
    assert suppressed(boxes, scores, 0.5).tolist() == [3, 0, 1, 2]
    assert suppressed(np.empty((0, 4)), np.empty(0), 0.5).tolist() == []
    many = np.random.default_rng(0).uniform(0, 500, (1500, 2))
    many = np.concatenate([many, many + 30], axis=1)
    scores = np.random.default_rng(1).uniform(size=1500)
    kept = suppressed(many, scores, 0.5)
    order = np.argsort(-scores)
    slow = [row for place, row in enumerate(order) if all(_overlap(many[row], many[o]) <= 0.5 for o in order[:place])]
    assert kept.tolist() == slow


def _overlap(one, other):
    width, height = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = max(width, 0) * max(height, 0)
    return shared / (2 * 900 - shared)


def test_squares_keep_the_middle_and_small_pictures_have_no_level():
    assert squared(np.array([[0.0, 0.0, 10.0, 20.0]])).tolist() == [[-5, 0, 15, 20]]
    assert pyramid(15, 20) == []
    assert pyramid(24, 20) == pytest.approx([0.6])
