"""The version stands in hf_model/config.json; what repeats it agrees."""

import json
import re
import tomllib


def test_package_citation_and_changelog_say_the_version_of_the_configuration(root):
    version = json.loads((root / "hf_model" / "config.json").read_text(encoding="utf-8"))["model_version"]
    assert tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"] == version
    assert (
        re.search(r"^version: (.*)$", (root / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)[1] == version
    )
    assert (
        re.search(r"^## (\S+)", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[1].rstrip(",")
        == version
    )
