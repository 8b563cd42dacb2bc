"""Columns of a dataset's own are never overwritten."""

import datasets
import pytest

from hf_model.bulk import label_dataset


@pytest.fixture
def own(astronaut):
    """A dataset as WIDER FACE is: with faces of its own, and a column called error."""
    rows = {"image": [astronaut, astronaut], "faces": [[1], [2, 3]], "error": ["", ""]}
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "faces": datasets.Sequence(datasets.Value("int32")),
            "error": datasets.Value("string"),
        }
    )
    return datasets.Dataset.from_dict(rows, features=features)


class Untouched:
    def __call__(self, *args, **options):
        pytest.fail("work was done before the refusal")


@pytest.mark.parametrize("column", ["faces", "error"])
def test_a_dataset_with_such_a_column_is_refused_before_any_work(own, column):
    data = own.remove_columns("faces" if column == "error" else "error")
    with pytest.raises(ValueError, match=rf"column '{column}' already.*prefix='predicted_'"):
        label_dataset(data, Untouched())
    with pytest.raises(ValueError, match="already"):
        label_dataset(data.to_iterable_dataset(), Untouched())


def test_a_stream_that_does_not_say_its_columns_is_refused_when_they_are_seen(astronaut):
    stream = datasets.IterableDataset.from_generator(lambda: iter([{"image": astronaut, "faces": [1]}]))
    assert stream.column_names is None
    with pytest.raises(ValueError, match="already"):
        next(iter(label_dataset(stream, Untouched())))


def test_a_prefix_keeps_both(own, predictor):
    labelled = label_dataset(own, predictor, prefix="predicted_")
    assert labelled["faces"][1] == [2, 3]
    assert 25 < labelled[0]["predicted_faces"][0]["age"] < 45
    assert labelled["predicted_error"][0] is None
    again = label_dataset(labelled, predictor, prefix="again_")
    assert len(again[0]["again_faces"]) == 1
