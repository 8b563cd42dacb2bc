"""The documents stay short, and say what the tree says."""

import contextlib
import io
import re

DOCUMENTS = (
    "README.md", "train/README.md", "benchmarks/README.md", "space/README.md", "dataset_script/README.md",
    "CONTRIBUTING.md", "MODEL_CARD.md",
)  # fmt: skip
MOST_WORDS = 6000


def prose(text: str) -> str:
    """A Markdown text without its front matter, generated blocks, code and tables."""
    text = re.sub(r"\A---\n.*?^---\n", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!-- figures.*?<!-- /figures -->", "", text, flags=re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("|"))


def test_there_is_no_more_to_read_than_is_needed(root):
    words = {name: len(prose((root / name).read_text(encoding="utf-8")).split()) for name in DOCUMENTS}
    assert sum(words.values()) <= MOST_WORDS, words


def test_the_map_in_contributing_names_files_that_are_there(root):
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+\?) \| `([\w/.]+)` \|$", text, re.MULTILINE)
    assert len(rows) == 10
    for question, path in rows:
        assert (root / path).is_file(), f"{question} {path} is not there"


def test_the_readmes_first_snippet_prints_what_stands_below_it(root, predictor, astronaut, tmp_path):
    text = (root / "README.md").read_text(encoding="utf-8")
    code, shown = re.search(r"^```python\n(.*?)^```\n+^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL).groups()
    astronaut.save(tmp_path / "photo.jpg", quality=95)
    (face,) = predictor(tmp_path / "photo.jpg")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(code[code.index("low, high") :], {"face": face})
    assert said.getvalue() == shown
