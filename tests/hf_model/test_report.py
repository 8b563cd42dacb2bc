import numpy as np
import pytest

from hf_model.bulk.report import corrected_shares, count, likeliest_shares, render_report, write_report

CONFUSION = np.array([[90, 4, 6], [12, 3, 85]])
BANDS = ["0-19", "20-39", "40-116"]


class Table(dict):
    """As much of an Arrow table as is used."""

    class Column(list):
        def to_pylist(self):
            return list(self)

    def __init__(self, faces, error):
        super().__init__(faces=self.Column(faces), error=self.Column(error))


def face(age, gender, *warnings):
    return {"age": age, "gender": gender, "warnings": list(warnings)}


TABLES = [
    Table([[face(10, "male"), face(39.9, "female", "small")], [], []], [None, None, "broken"]),
    Table([[face(70, "uncertain")]], [None]),
]
METRICS = {
    "confusion": {"age_bands": BANDS, "age": [[50, 5, 1], [4, 60, 6], [1, 7, 40]], "gender": CONFUSION.tolist()},
    "groups": {"age": {"20-39": {"age_mae": {"value": 5.25}}}},
    "overall": {"age_mae": {"value": 4.6, "n": 1980}, "gender_accuracy": {"value": 0.934}},
}


@pytest.mark.parametrize("true", [0.0, 0.2, 0.5, 0.95])
def test_mistaken_counts_give_the_true_shares_back(true):
    given = CONFUSION / CONFUSION.sum(axis=1, keepdims=True)
    counts = 10_000 * np.array([1 - true, true]) @ given
    assert likeliest_shares(counts, CONFUSION)[1] == pytest.approx(true, abs=0.01)
    (_, (share, low, high)) = corrected_shares(counts.round(), CONFUSION)
    assert low <= share <= high
    assert high - low < 0.25
    assert low - 0.02 <= true <= high + 0.02


def test_fewer_test_faces_make_wider_intervals():
    wide, narrow = (corrected_shares([500, 40, 460], CONFUSION * times)[0] for times in (1, 100))
    assert wide[2] - wide[1] > 1.3 * (narrow[2] - narrow[1])


def test_rows_are_counted():
    counted = count(TABLES, BANDS)
    assert {name: counted[name] for name in ("pictures", "faces", "without_face", "unusable", "warned")} == {
        "pictures": 4,
        "faces": 3,
        "without_face": 1,
        "unusable": 1,
        "warned": 1,
    }
    assert counted["ages"].tolist() == [1, 1, 1]
    assert counted["genders"].tolist() == [0, 1, 1]  # the child's is left out


def test_the_page_says_what_it_is_worth(tmp_path):
    text = render_report("my photos", count(TABLES, BANDS), METRICS)
    assert "4 pictures, 3 faces. 1 pictures have no face that was found, 1 could not be read" in text
    assert "| 20-39 | 1 | 33.3% |" in text
    assert "| 5.2 |" in text
    assert "guesses, not facts" in text
    write_report(tmp_path / "page.html", "my <photos>", TABLES, METRICS)
    page = (tmp_path / "page.html").read_text()
    assert page.count("<table>") == page.count("</table>") == 3
    assert "my &lt;photos&gt;" in page
    assert "<td>20-39</td>" in page
    with pytest.raises(ValueError, match="confusion"):
        write_report(tmp_path / "page.md", "x", TABLES, {})
