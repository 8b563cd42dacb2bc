"""Every published repo is licensed as its content asks, and says which commit it was made from."""

import json
import pathlib
import subprocess

import pytest
import yaml

from tests.train.release.test_browser import fake_runtime
from train.release import browser, contents

APACHE = "Apache License"
# The forms of license_link that the Hub documents.
LINKS = ("LICENSE", "LICENSE.md")


@pytest.fixture(scope="module")
def releases(root, tmp_path_factory):
    """Every repo and branch, as `make publish` would push it; runtime and Parquet are stand-ins."""
    folder = tmp_path_factory.mktemp("releases")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browser, "fetch_runtime", lambda out: fake_runtime(out))
        patch.setattr(contents, "check_predicts_alone", lambda folder: None)
        patch.chdir(root)
        browser.write_page(folder / "page")
        (folder / "utkface" / "data").mkdir(parents=True)
        (folder / "utkface" / "data" / "test-00000-of-00001.parquet").write_bytes(b"PAR1")
        (folder / "utkface" / "README.md").write_bytes((root / "dataset_script" / "README.md").read_bytes())
        version = contents.Settings.load(root / "hf_model").model_version
        return {
            "model": contents.model_release("u/m", version),
            "space": contents.space_release("u/s", version, "u/m", f"v{version}"),
            "static page": contents.browser_release("u/b", version, "u/m", f"v{version}", folder / "page"),
            "dataset": contents.dataset_release("u/utkface", version, folder / "utkface"),
            "script": contents.script_release("u/utkface", version),
        }


def text_of(release, name: str) -> str:
    content = release.files[name]
    return (content if isinstance(content, bytes) else pathlib.Path(content).read_bytes()).decode()


def front_matter(release) -> dict:
    return yaml.safe_load(text_of(release, "README.md").split("---")[1])


REPOS = ("model", "space", "static page", "dataset", "script")


@pytest.mark.parametrize("name", REPOS)
def test_a_licence_that_is_named_is_there(releases, name):
    release, front = releases[name], front_matter(releases[name])
    if front["license"] == "apache-2.0":
        assert APACHE in text_of(release, "LICENSE")
    else:
        assert front["license"] == "other"
        assert front["license_name"]
        link = front["license_link"]
        assert link in LINKS or link.startswith("https://"), link
        assert link not in LINKS or "non-commercial" in text_of(release, link)


@pytest.mark.parametrize("name", REPOS)
def test_code_goes_out_with_its_licence(releases, name):
    files = releases[name].files
    if any(path.endswith((".py", ".js")) for path in files):
        assert any(APACHE in text_of(releases[name], path) for path in files if "LICENSE" in path)


@pytest.mark.parametrize("name", REPOS)
def test_weights_go_out_under_their_own_terms(releases, name):
    """What was trained on pictures for research, and MTCNN's, which somebody else made."""
    release = releases[name]
    ours = [
        path for path in release.files if path.endswith((".safetensors", "network.onnx", "model.onnx", "int8.onnx"))
    ]
    if ours:
        assert front_matter(release)["license"] == "other"
        assert "non-commercial research and education only" in text_of(release, "LICENSE.md")
    if any(path.endswith(("proposal.onnx", "refine.onnx", "output.onnx")) for path in release.files):
        notice = next(text_of(release, path) for path in release.files if "MTCNN" in path)
        assert "MIT License" in notice
        assert "Iván de Paz Centeno" in notice
    assert bool(ours) == (name in ("model", "static page"))


@pytest.mark.parametrize("name", REPOS)
def test_the_commit_that_it_was_made_from_stands_in_it(releases, root, name):
    source = json.loads(text_of(releases[name], "source.json"))
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    ).stdout.strip()
    assert source["commit"] == (head or None)
    assert source["version"] == releases[name].version


def test_what_is_not_committed_is_named(tmp_path):
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert contents.changed_files(tmp_path) == []
    (tmp_path / "odd.py").write_text("")
    assert contents.changed_files(tmp_path) == ["odd.py"]
    assert json.loads(contents.source_of("1.0.0", tmp_path))["uncommitted"] == ["odd.py"]
    assert json.loads(contents.source_of("1.0.0", pathlib.Path("/")))["commit"] is None
