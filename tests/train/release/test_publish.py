"""Publishing through the real client against a local Hub: whole or not at all, whatever request fails."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import pytest
from huggingface_hub import HfApi

from tests.hub.server import HubServer
from tests.support import hub_environment, last_json, run_script
from train.release import publish
from train.release.contents import Release, ReleaseError, check_version, list_files, space_release
from train.release.gate import TEST_OF, comparable, compare, table
from train.release.publish import PublishError, gate, main, push

SMALL = {"README.md": b"---\nlicense: other\n---\n# small\n", "config.json": b"{}", "model.safetensors": b"\0weights 1"}
NEXT = {"README.md": b"---\nlicense: other\n---\n# next\n", "model.safetensors": b"\0weights 2", "new.py": b"x = 1\n"}
REPO = "user/small"


def release(files=SMALL, version="0.1.0", kind="model"):
    return Release(kind, REPO, version, dict(files), tag=f"v{version}", sdk="gradio" if kind == "space" else None)


def published(hub, kind="model", revision="main"):
    return hub.files(kind, REPO, revision)


def test_a_publish_is_one_commit_and_a_tag(hub, api):
    commit = push(api, release(), private=False)
    repo = hub.repos["model", REPO]
    assert published(hub) == published(hub, revision="v0.1.0") == SMALL
    assert repo.tags == {"v0.1.0": commit}
    assert len(repo.commits) == 2  # the Hub's first and ours
    assert not repo.private
    assert repo.messages[commit] == "Release 0.1.0"
    assert repo.commits[commit]["model.safetensors"].lfs


def test_the_next_version_replaces_everything_and_the_old_one_stays(hub, api):
    push(api, release(), private=False)
    push(api, release(NEXT, "0.2.0"), private=False, reason="it is smaller")
    assert published(hub) == NEXT  # config.json is gone
    assert published(hub, revision="v0.1.0") == SMALL
    repo = hub.repos["model", REPO]
    assert "Accepted regression: it is smaller" in repo.messages[repo.tags["v0.2.0"]]


def test_publishing_the_same_again_says_so_and_writes_nothing(hub, api, capsys):
    push(api, release(), private=False)
    hub.requests.clear()
    push(api, release(), private=False)
    assert "published already, as it is here" in capsys.readouterr().out
    assert {method for method, _ in hub.requests} <= {"GET", "HEAD"}


def test_the_same_version_with_other_content_is_refused(hub, api):
    push(api, release(), private=False)
    with pytest.raises(PublishError, match=r"v0\.1\.0 .* other content: .*new\.py \(new\).*raise the version"):
        push(api, release(NEXT), private=False)
    assert published(hub) == SMALL


def test_a_commit_without_its_tag_is_tagged_by_the_next_run(hub, api):
    commit = push(api, release(), private=False)
    repo = hub.repos["model", REPO]
    del repo.tags["v0.1.0"]
    assert push(api, release(), private=False) == commit
    assert repo.tags == {"v0.1.0": commit}
    assert len(repo.commits) == 2


def test_someone_elses_commit_in_between_is_not_overwritten(hub, api):
    push(api, release(), private=False)

    def interfere(index, method, path):
        if "/commit/" in path:
            repo = hub.repos["model", REPO]
            repo.commit("main", {**repo.commits[repo.branches["main"]]}, "someone else")

    hub.fail = interfere
    with pytest.raises(PublishError, match="someone else changed the repo"):
        push(api, release(NEXT, "0.2.0"), private=False)
    assert published(hub) == SMALL


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_a_dry_run_touches_nothing(hub, api, capsys, kind):
    push(api, release(kind=kind), private=True, dry_run=True)
    assert hub.repos == {}
    assert "Would create the private" in capsys.readouterr().out
    push(api, release(kind=kind), private=True)
    hub.requests.clear()
    push(api, dataclasses.replace(release(NEXT, "0.2.0", kind)), private=True, dry_run=True)
    printed = capsys.readouterr().out
    for line in ("README.md  (changed)", "config.json  (removed)", "new.py  (new)", "Would tag it v0.2.0"):
        assert line in printed
    assert {method for method, _ in hub.requests} <= {"GET", "HEAD"}
    assert published(hub, kind) == SMALL


def requests_of_a_publish():
    """How many requests the second publish makes, measured on a Hub where nothing fails."""
    with HubServer() as hub:
        api = HfApi(endpoint=hub.url, token="hf_writer")
        push(api, release(), private=False)
        hub.requests.clear()
        push(api, release(NEXT, "0.2.0"), private=False)
        return list(hub.requests)


REQUESTS = requests_of_a_publish()


def test_a_publish_makes_the_requests_that_the_faults_below_go_through():
    paths = " ".join(path for _, path in REQUESTS)
    for part in (
        "/refs",
        "/tree/",
        "validate-yaml",
        "/preupload/",
        "/objects/batch",
        "/_lfs/",
        "/verify",
        "/commit/",
        "/tag/",
    ):
        assert part in paths
    assert len(REQUESTS) >= 10


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("fault", ["drop", "drop answer", 500, 429])
@pytest.mark.parametrize(
    "broken", range(len(REQUESTS)), ids=[f"{i}-{m}-{p.split('/')[-1][:12]}" for i, (m, p) in enumerate(REQUESTS)]
)
def test_whatever_request_fails_the_content_is_old_or_new_and_a_rerun_ends_well(hub, api, broken, fault, lasting):
    push(api, release(), private=False)
    start = len(hub.requests)
    seen = []

    def fail(index, method, path):
        if (index - start == broken) or (lasting and seen and (method, path) == seen[0]):
            seen.append((method, path))
            return fault
        return None

    hub.fail = fail
    try:
        push(api, release(NEXT, "0.2.0"), private=False)
        failed = None
    except PublishError as error:
        failed = str(error)
    assert seen
    assert failed is not None or not lasting
    if failed:
        # One line that names the step and what to do, and never the token.
        assert failed.startswith(("Looking at", "Comparing with", "Uploading and committing", "Tagging"))
        assert "again" in failed
        assert "hf_writer" not in failed
    assert published(hub) in (SMALL, NEXT)
    assert published(hub, revision="v0.1.0") == SMALL
    tag = hub.repos["model", REPO].tags.get("v0.2.0")
    assert tag is None or published(hub, revision=tag) == NEXT

    hub.fail = lambda index, method, path: None
    push(api, release(NEXT, "0.2.0"), private=False)
    assert published(hub) == published(hub, revision="v0.2.0") == NEXT
    assert len(hub.repos["model", REPO].commits) == 3  # the Hub's, 0.1.0 and 0.2.0: nothing twice


@pytest.mark.parametrize("fault", ["drop", "drop answer", 500])
def test_a_first_publish_that_fails_while_creating_the_repo_ends_well_when_run_again(hub, api, fault):
    hub.fail = lambda index, method, path: fault if "create" in path else None
    with pytest.raises(PublishError, match="Creating the public model"):
        push(api, release(), private=False)
    hub.fail = lambda index, method, path: None
    push(api, release(), private=False)
    assert published(hub, revision="v0.1.0") == SMALL


def test_a_killed_publish_leaves_the_old_content(hub, api, tmp_path):
    """SIGKILL in the middle of the upload, from a real process."""
    push(api, release(), private=False)
    for name, data in NEXT.items():
        (tmp_path / name).write_bytes(data)
    code = (
        "import sys, pathlib; from huggingface_hub import HfApi; from train.release.publish import push\n"
        "from train.release.contents import Release\n"
        f"files = {{p.name: p for p in pathlib.Path({str(tmp_path)!r}).iterdir()}}\n"
        f"push(HfApi(endpoint={hub.url!r}, token='hf_writer'), Release('model', {REPO!r}, '0.2.0', files, "
        f"tag='v0.2.0'), private=False)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(index, method, path):
        if "/_lfs/" in path and process.poll() is None:
            process.kill()
            return "drop"
        return None

    hub.fail = kill
    process.wait(120)
    assert process.returncode == -9
    assert published(hub) == SMALL
    hub.fail = lambda index, method, path: None
    push(api, release(NEXT, "0.2.0"), private=False)
    assert published(hub, revision="v0.2.0") == NEXT


def run_command(hub, *arguments, token="hf_writer", cwd=None):
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        environment.pop(name, None)
    if token:
        environment["HF_TOKEN"] = token
    environment["HF_HOME"] = str(cwd or "/nonexistent")
    command = [sys.executable, "-m", "train.release.publish", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parquet")
    (folder / "data").mkdir()
    for split in ("train", "validation", "test"):
        (folder / "data" / f"{split}-00000-of-00001.parquet").write_bytes(b"PAR1 " + split.encode())
    (folder / "README.md").write_text("---\nlicense: other\n---\n# data\n")
    (folder / "skipped.csv").write_text("file_name,reason,detail\n")
    return folder


def one_line(result):
    lines = [line for line in result.stderr.splitlines() if line.startswith("Not published. ")]
    assert result.returncode not in (0, None)
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return lines[0]


def test_wrong_tokens_and_missing_rights_are_one_clear_line_each(hub, api, data_folder, tmp_path):
    arguments = ["dataset", "--repo", "user/small", "--version", "0.1.0", "--dataset-folder", str(data_folder)]
    assert "No token: set HF_TOKEN" in one_line(run_command(hub, *arguments, token=None, cwd=tmp_path))
    wrong = run_command(hub, *arguments, token="hf_secretsecretsecret", cwd=tmp_path)
    assert "token was not accepted" in one_line(wrong)
    assert "hf_secret" not in wrong.stdout + wrong.stderr
    reader = run_command(hub, *arguments, token="hf_reader", cwd=tmp_path)
    assert "may not write" in one_line(reader)
    taken = run_command(hub, *arguments[:2], "someone/else", *arguments[3:], cwd=tmp_path)
    assert "may not write" in one_line(taken)
    assert hub.repos == {}


def test_the_dataset_is_private_unless_told_otherwise_twice(hub, api, data_folder, tmp_path):
    arguments = ["dataset", "--repo", "user/small", "--version", "0.1.0", "--dataset-folder", str(data_folder)]
    assert "both --public-dataset and" in one_line(run_command(hub, *arguments, "--public-dataset", cwd=tmp_path))
    assert hub.repos == {}
    done = run_command(hub, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    repo = hub.repos["dataset", "user/utkface"]
    assert repo.private
    assert set(hub.files("dataset", "user/utkface")) == {
        "README.md",
        "skipped.csv",
        "source.json",
        *(f"data/{split}-00000-of-00001.parquet" for split in ("train", "validation", "test")),
    }
    # A folder of Parquet beside utkface.py is refused by datasets 4: the script has a branch of its own.
    assert set(hub.files("dataset", "user/utkface", "script")) == {
        "README.md",
        "duplicate_groups.csv",
        "utkface.py",
        "source.json",
        "LICENSE-APACHE-2.0.txt",
    }
    assert "hf_writer" not in done.stdout + done.stderr
    repo.private = False  # someone made it public by hand
    assert "is public, but it was to be private" in one_line(run_command(hub, *arguments, cwd=tmp_path))


SPACE = Release("space", "user/page", "0.1.0", {"README.md": b"---\nsdk: gradio\n---\n"}, tag="v0.1.0", sdk="gradio")


@pytest.mark.parametrize(
    ("release", "status", "said"),
    [
        (SPACE, 402, "wants a paid plan for this. A Gradio Space may want one.*the static page instead.*HTTP 402"),
        (SPACE, 403, "its account may not create such a Space: a Gradio Space may want a paid plan.*HTTP 403"),
        (
            Release("model", "user/m", "0.1.0", {"a": b"a"}),
            403,
            "its user may not create repos under that name.*HTTP 403",
        ),
    ],
)
def test_a_refusal_says_what_the_hub_said(hub, api, release, status, said):
    hub.fail = lambda index, method, path: status if path.endswith("/repos/create") else None
    with pytest.raises(PublishError, match=said) as stopped:
        push(api, release, private=False)
    assert "the connection failed" not in str(stopped.value)
    assert hub.repos == {}


def test_a_token_that_ci_cannot_mint_is_a_sentence(hub, data_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_OIDC_RESOURCE", "user/small")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    arguments = ["dataset", "--repo", "user/small", "--version", "0.1.0", "--dataset-folder", str(data_folder)]
    line = one_line(run_command(hub, *arguments, token=None, cwd=tmp_path))
    assert "HF_OIDC_RESOURCE is set but no OIDC id token is available" in line
    assert "connection failed" not in line


def test_what_is_not_committed_is_named_before_anything_goes_out(hub, api, data_folder, monkeypatch, capsys):
    monkeypatch.setattr(publish, "changed_files", lambda: ["odd.py", "train/other.py"])
    monkeypatch.setattr(publish, "HfApi", lambda token: api)
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    publish.main(
        ["dataset", "--repo", "user/small", "--version", "0.1.0", "--dataset-folder", str(data_folder), "--dry-run"]
    )
    told = capsys.readouterr().out
    assert "Not committed, so that no commit holds what is published: odd.py, train/other.py." in told
    assert told.index("Not committed") < told.index("Would")


def test_the_same_content_from_a_later_commit_is_not_another_version(hub, api):
    files = {**SMALL, "source.json": b'{"commit": "1"}'}
    push(api, release(files), private=False)
    later = {**SMALL, "source.json": b'{"commit": "2"}'}
    push(api, release(later), private=False)
    assert published(hub) == files


def test_a_private_repo_is_created_private(hub, api):
    push(api, release(), private=True)
    assert hub.repos["model", REPO].private


@pytest.mark.parametrize("version", ["1", "1.0", "v1.0.0", "1.0.0-rc1", "01.0.0", "", "1.0.0\n"])
def test_versions_are_three_numbers(version):
    with pytest.raises(ReleaseError, match=r"X\.Y\.Z"):
        check_version(version)
    assert check_version("0.10.2") == "0.10.2"


def test_a_file_that_is_not_on_the_list_stops_the_release(tmp_path):
    (tmp_path / "a.py").write_text("")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("")
    assert list(list_files(tmp_path, ("*.py",))) == ["a.py"]
    (tmp_path / "secrets.txt").write_text("hf_...")
    with pytest.raises(ReleaseError, match=r"secrets\.txt is not a file that is published"):
        list_files(tmp_path, ("*.py",))
    (tmp_path / "secrets.txt").rename(tmp_path / "__pycache__" / "secrets.txt")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.py").write_text("")
    with pytest.raises(ReleaseError, match=r"sub/b\.py"):
        list_files(tmp_path, ("*.py",))


def figures(mae=5.0, accuracy=0.92, white=5.2, fingerprint="a"):
    def figure(value, width):
        return {"value": value, "low": value - width, "high": value + width, "n": 1000}

    def level(mae):
        return {"age_mae": figure(mae, 0.3), "gender_accuracy": figure(accuracy, 0.02)}

    groups = {
        "age": {"0-9": level(2.0)},
        "gender": {"male": level(5)},
        "race": {"white": level(white), "black": level(4)},
    }
    return {"split": "test", "data": {"fingerprint": fingerprint}, "overall": level(mae), "groups": groups}


def test_the_gate_sees_what_is_worse_beyond_its_interval():
    assert not any(row.worse for row in compare(figures(), figures()))
    assert not any(row.worse for row in compare(figures(), figures(mae=5.2, accuracy=0.91)))
    assert [row.name for row in compare(figures(), figures(mae=5.4)) if row.worse] == ["age_mae"]
    worse = [row.name for row in compare(figures(), figures(white=6.0)) if row.worse]
    assert worse == ["age_mae, worst race (white → white)"]
    assert any(row.name == "gender_accuracy" and row.worse for row in compare(figures(), figures(accuracy=0.89)))
    assert "WORSE" in table(compare(figures(), figures(mae=9)))
    assert comparable(figures(), figures()) is None
    assert "fingerprint" in comparable(figures(), figures(fingerprint="b"))
    # Today every split has one; of 0.1.0's single one the test split is known.
    old, (new,) = "38f6782e53a16a5e5c3a5826a7c3365c69e58c7fbf974619ab761cebe8d6db2a", TEST_OF.values()
    today = figures(fingerprint={"train": "other", "test": new})
    assert comparable(figures(fingerprint=old), today) is None
    assert comparable(today, figures(fingerprint={"train": "another", "test": new})) is None
    assert "fingerprint" in comparable(today, figures(fingerprint={"train": "other", "test": "x"}))


def with_metrics(metrics, version="0.1.0"):
    return release({**SMALL, "metrics.json": json.dumps(metrics).encode()}, version)


def test_the_gate_compares_other_data_and_engines_where_both_have_them():
    def elsewhere(accuracy, distance, mae):
        def figure(value, width):
            return {"value": value, "low": value - width, "high": value + width, "n": 270}

        return {
            "external": {"photos": {"gender_10plus": figure(accuracy, 0.04), "bin_distance": figure(distance, 0.5)}},
            "engines": {"openvino/int8": {"age_mae": figure(mae, 0.2), "gender_accuracy": figure(0.93, 0.01)}},
        }

    before = figures() | elsewhere(0.85, 4.0, 5.0)
    assert not any(row.worse for row in compare(before, figures() | elsewhere(0.84, 4.2, 5.1)))
    worse = [row.name for row in compare(before, figures() | elsewhere(0.80, 4.6, 5.5)) if row.worse]
    assert worse == [
        "external photos: bin_distance",
        "external photos: gender_10plus",
        "engines openvino/int8: age_mae",
    ]
    assert len(compare(before, figures())) == len(compare(figures(), figures()))


def test_a_worse_model_is_stopped_unless_a_reason_is_given(hub, api, capsys):
    first = with_metrics(figures())
    assert gate(api, first, None) is None
    assert "No figures are published yet" in capsys.readouterr().out
    push(api, first, private=False)
    worse = with_metrics(figures(mae=6.0), "0.2.0")
    with pytest.raises(PublishError, match=r"Worse than what is published.*age_mae.*--allow-regression"):
        gate(api, worse, None)
    assert "WORSE" in capsys.readouterr().out
    assert gate(api, worse, "half the size") == "half the size"
    assert gate(api, with_metrics(figures(mae=4.0), "0.2.0"), "not needed") is None
    assert gate(api, with_metrics(figures(mae=9.0, fingerprint="b"), "0.2.0"), None) is None
    assert "Nothing could be compared" in capsys.readouterr().out


def test_the_space_names_the_model_and_the_revision_that_it_shows(root):
    from huggingface_hub import SpaceCard

    files = space_release("user/space-repo", "0.1.0", "user/model", "v0.1.0", root / "space").files
    card = SpaceCard(files["README.md"].decode())
    assert card.data.models == ["user/model"]
    assert card.data.model_revision == "v0.1.0"
    assert card.data.sdk == "gradio"
    assert "user/space-repo" in card.text
    assert card.data.datasets == ["HuggingFaceM4/FairFace"]  # and none that visitors cannot open
    assert {"app.py", "model.py", "face_card.py", "page.js", "requirements.txt", "README.md"} <= set(files)


def test_a_space_is_built_with_the_files_of_the_revision_that_it_asks_for(root):
    from huggingface_hub import SpaceCard

    made = space_release("user/space", "0.1.0", "user/model", "v0.1.0", root / "space", model_files=["b.json", "a.py"])
    card = SpaceCard(made.files["README.md"].decode())
    assert card.data.preload_from_hub == ["user/model a.py,b.json v0.1.0"]
    closed = space_release("user/space", "0.1.0", "user/model", "v0.1.0", root / "space", closed=True)
    assert "preload_from_hub" not in closed.files["README.md"].decode()


def test_on_zero_gpu_the_space_brings_pytorch_and_asks_for_the_hardware(root, hub, api, monkeypatch):
    from huggingface_hub import SpaceCard

    made = space_release("user/space", "0.1.0", "user/model", "v0.1.0", root / "space", hardware="zero-gpu")
    card = SpaceCard(made.files["README.md"].decode())
    assert (card.data.python_version, card.data.suggested_hardware) == ("3.12.12", "zero-a10g")
    wanted = made.files["requirements.txt"].decode().splitlines()
    assert {"spaces", "torch"} <= {line.partition("==")[0] for line in wanted}
    plain = space_release("user/space", "0.1.0", "user/model", "v0.1.0", root / "space")
    assert "torch" not in pathlib.Path(plain.files["requirements.txt"]).read_text()
    push(api, Release("model", "user/space", "0.1.0", {"a": b"a"}, tag="v0.1.0"), private=False)
    asked = []
    monkeypatch.setattr(api, "request_space_hardware", lambda repo, hardware: asked.append((repo, hardware.value)))
    arguments = ["space", "--repo", "user/space", "--version", "0.1.0", "--space", str(root / "space")]
    publish.publish_space(api, publish.parse_arguments([*arguments, "--hardware", "zero-gpu"]))
    assert asked == [("user/space", "zero-a10g")]


def test_the_open_faces_load_from_the_hub_as_published(root, hub, api, tmp_path):
    arguments = ["benchmark", "--repo", "user/age-gender", "--version", "0.1.0"]
    publish.publish_benchmark(api, publish.parse_arguments(arguments))
    assert not hub.repos["dataset", "user/open-faces"].private
    code = """
import json
from datasets import load_dataset
faces = load_dataset("user/open-faces", split="test", revision="v0.1.0")
print(json.dumps([len(faces), faces.column_names, faces[0]["image"].size, len(set(faces["person"]))]))
"""
    environment = hub_environment(hub, tmp_path)
    environment.pop("PYTHONPATH", None)
    count, columns, size, people = last_json(run_script(code, folder=tmp_path, environment=environment))
    assert (count, size, people) == (204, [512, 512], 102)
    assert columns == ["image", "person", "expression", "age", "gender", "ethnicity"]
    card = hub.files("dataset", "user/open-faces")["README.md"].decode()
    assert "DeBruine" in card
    assert 'load_dataset("user/open-faces"' in card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model", "--repo", "noslash", "--version", "0.1.0"], "USER/NAME"),
        (["model", "--repo", "a/b"], "--version"),
        (["model", "--repo", "a/b", "--version", "0.1.0", "--allow-regression", " "], "wants a reason"),
        (["model", "--repo", "a/b", "--version", "0.1.0", "--token", "hf_x"], "unrecognized arguments: --token"),
    ],
)
def test_mistakes_in_the_command_are_answered_at_once(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err
