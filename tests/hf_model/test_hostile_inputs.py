"""Whatever is fed in: predictions, an empty list or an InvalidImageError, and nothing else."""

import math

import pytest

from hf_model import InvalidImageError
from tests.corpus import make_files, make_odd_paths, odd_values


def check(result):
    """A good answer for one photo."""
    if isinstance(result, InvalidImageError):
        assert result.source
        assert result.reason
        assert "\n" not in str(result)
        return
    assert isinstance(result, list)
    for face in result:
        assert face.age >= 0
        assert math.isfinite(face.age)
        assert 0 <= face.female_probability <= 1


@pytest.fixture(scope="module")
def files(tmp_path_factory, astronaut):
    return make_files(tmp_path_factory.mktemp("corpus"), astronaut.resize((256, 256)))


def test_every_odd_file_gives_an_answer_or_a_clear_error(predictor, files):
    assert len(files) >= 60
    results = predictor(files, on_error="return")
    assert len(results) == len(files)
    for path, result in zip(files, results, strict=True):
        check(result)
        if isinstance(result, InvalidImageError):
            assert path.name[-30:] in str(result)
    by_name = {path.name: result for path, result in zip(files, results, strict=True)}
    for name in ("no_name_ending", "имя на русском.jpg", "...jpg", "trailing_garbage.jpg", "jpeg_named.gif"):
        assert len(by_name[name]) == 1, name
    for name in ("text.jpg", "zip_bomb.jpg", "cut_00_percent.jpg", "claims_30000_square.png", "claims_8000_square.png"):
        assert isinstance(by_name[name], InvalidImageError), name
    assert "megapixels" in str(by_name["claims_30000_square.png"])


def test_chips_of_every_odd_file_too(predictor, files):
    for result in predictor(files, faces="none", on_error="return"):
        check(result)


@pytest.mark.timeout(60)
def test_odd_paths_never_hang(predictor, tmp_path):
    paths = make_odd_paths(tmp_path)
    for result in predictor(paths, on_error="return"):
        assert isinstance(result, InvalidImageError)
        check(result)


def test_odd_values_never_give_a_wrong_shape(predictor):
    values = odd_values()
    results = predictor(values, faces="none", on_error="return")
    assert len(results) == len(values)
    for result in results:
        check(result)
        assert isinstance(result, InvalidImageError) or len(result) == 1
    accepted = [index for index, result in enumerate(results) if not isinstance(result, InvalidImageError)]
    assert accepted[:6] == [0, 1, 2, 3, 4, 5]  # uint8 RGB in any memory layout


def test_memory_layout_does_not_change_the_answer(predictor, astronaut):
    import numpy as np

    plain = np.asarray(astronaut)[40:200, 140:300]
    views = [plain, np.asfortranarray(plain), np.ascontiguousarray(plain[:, ::-1])[:, ::-1]]
    answers = [face for (face,) in predictor(views, faces="none")]
    assert all(abs(answer.age - answers[0].age) < 1e-3 for answer in answers)


def test_a_single_odd_value_raises_the_same_error(predictor):
    for value in (None, 3, object()):
        with pytest.raises(InvalidImageError, match="pass a path"):
            predictor(value)
