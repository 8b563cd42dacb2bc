"""The documents say what the tree says."""

import contextlib
import io
import re


def test_every_link_to_a_file_leads_to_one(root):
    links = 0
    for path in [*root.glob("*.md"), *(root / "docs").glob("*.md"), *(root / "train").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            links += 1
            assert (path.parent / target).exists(), f"{path}: {target} is not there"
    assert links > 20


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
