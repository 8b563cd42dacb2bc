"""Model, Space and dataset published by one command: whatever request fails, the next run completes it."""

import functools

import pytest
from huggingface_hub import HfApi, SpaceCard

from tests.hub.server import HubServer
from train.release import publish
from train.release.contents import Release, model_release, space_release

VERSIONS = ("0.1.0", "0.2.0")
MODEL, SPACE, DATASET = "user/face", "user/page", "user/utkface"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A Space and a dataset, small."""
    space, dataset = tmp_path_factory.mktemp("space"), tmp_path_factory.mktemp("dataset")
    (space / "README.md").write_text("---\nsdk: gradio\n---\nEducational only.\n")
    (space / "app.py").write_text("x = 1\n")
    (dataset / "data").mkdir()
    (dataset / "data" / "test-00000-of-00001.parquet").write_bytes(b"PAR1")
    (dataset / "README.md").write_text("---\nlicense: other\n---\n# data\n")
    return space, dataset


@pytest.fixture(autouse=True)
def small_model(monkeypatch):
    """Models of two files: what a release checks of a real one is tested elsewhere and takes long."""

    def made(repo, version, folder, gated=False):
        files = {"README.md": f"# {version}\n".encode(), "model.safetensors": b"\0" + version.encode()}
        return Release("model", repo, version, {**files, "metrics.json": b'{"data": {}}'}, tag=f"v{version}")

    monkeypatch.setattr(publish, "model_release", made)
    monkeypatch.setattr(publish, "gate", lambda api, release, allow: None)
    monkeypatch.setenv("HF_TOKEN", "hf_writer")


def publish_all(monkeypatch, hub, folders, version, *more):
    monkeypatch.setattr(publish, "HfApi", functools.partial(HfApi, endpoint=hub.url))
    space, dataset = folders
    arguments = ["all", "--repo", MODEL, "--space-repo", SPACE, "--version", version, *more]
    publish.main([*arguments, "--space", str(space), "--dataset-folder", str(dataset)])


def check(hub, complete):
    """What holds at any moment: each repo is of one version, and the Space's model is there."""
    model = hub.repos["model", MODEL]
    if ("space", SPACE) in hub.repos and "README.md" in hub.files("space", SPACE):
        shown = SpaceCard(hub.files("space", SPACE)["README.md"].decode()).data.model_revision
        assert shown in model.tags
        assert hub.files("model", MODEL, shown)["README.md"] == f"# {shown[1:]}\n".encode()
        assert shown == f"v{VERSIONS[-1]}" or not complete
    if complete:
        tags = {f"v{version}" for version in VERSIONS}
        assert set(model.tags) == set(hub.repos["space", SPACE].tags) == set(hub.repos["dataset", DATASET].tags) == tags
        assert {"README.md", "duplicate_groups.csv", "utkface.py"} < set(hub.files("dataset", DATASET, "script"))


def count_requests(monkeypatch, hub, folders):
    publish_all(monkeypatch, hub, folders, VERSIONS[0])
    start = len(hub.requests)
    publish_all(monkeypatch, hub, folders, VERSIONS[1])
    return len(hub.requests) - start


def test_the_space_goes_last_so_that_a_refusal_holds_nothing_back(folders, monkeypatch):
    with HubServer() as hub:
        hub.fail = refuse_spaces(hub)
        with pytest.raises(SystemExit, match="wants a paid plan"):
            publish_all(monkeypatch, hub, folders, VERSIONS[0])
        assert set(hub.repos) == {("model", MODEL), ("dataset", DATASET)}
        assert hub.repos["dataset", DATASET].tags


def refuse_spaces(hub):
    """A Hub that wants money for every Space: for what is created after model and dataset."""
    return lambda index, method, path: 402 if path.endswith("/repos/create") and len(hub.repos) == 2 else None


def test_with_a_fault_at_every_request_the_next_run_completes_it(hub, folders, monkeypatch, capsys):
    count = count_requests(monkeypatch, hub, folders)
    check(hub, complete=True)
    assert count > 20
    said = []
    for fault in ("drop", 500):
        for broken in range(count):
            with HubServer() as other:
                publish_all(monkeypatch, other, folders, VERSIONS[0])
                start, hit = len(other.requests), []

                def fail(index, method, path, start=start, hit=hit, broken=broken, fault=fault):
                    if index - start == broken or (hit and (method, path) == hit[0]):
                        hit.append((method, path))
                        return fault
                    return None

                other.fail = fail
                try:
                    publish_all(monkeypatch, other, folders, VERSIONS[1])
                except SystemExit as error:
                    said.append(str(error.code))
                assert hit
                check(other, complete=False)
                other.fail = lambda index, method, path: None
                publish_all(monkeypatch, other, folders, VERSIONS[1])
                check(other, complete=True)
    assert len(said) > count
    assert all(line.startswith("Not published. ") and "hf_writer" not in line for line in said)


def test_a_gated_model_asks_for_its_terms_and_its_space_says_that_it_needs_a_token(hub, folders, monkeypatch):
    publish_all(monkeypatch, hub, folders, "0.1.0")
    assert hub.repos["model", MODEL].gated is False
    assert "preload_from_hub" in hub.files("space", SPACE)["README.md"].decode()
    publish_all(monkeypatch, hub, folders, "0.2.0", "--gated")
    assert hub.repos["model", MODEL].gated == "auto"
    card = hub.files("space", SPACE)["README.md"].decode()
    assert "needs a token" in card
    assert "preload_from_hub" not in card  # the build has none
    hub.repos["model", MODEL].gated, hub.repos["model", MODEL].private = False, True
    publish_all(monkeypatch, hub, folders, "0.2.1")
    assert "needs a token" in hub.files("space", SPACE)["README.md"].decode()
    hub.repos["model", MODEL].gated, hub.repos["model", MODEL].private = "manual", False
    publish_all(monkeypatch, hub, folders, "0.3.0", "--gated")
    assert hub.repos["model", MODEL].gated == "manual"


def test_the_terms_stand_in_the_front_matter_of_a_gated_card_alone(root, monkeypatch):
    from huggingface_hub import ModelCard

    from train.release import contents

    monkeypatch.setattr(contents, "check_model", lambda folder, version, card: card.read_text(encoding="utf-8"))
    monkeypatch.setattr(contents, "graphs", lambda folder: {})
    cards = [
        ModelCard(model_release(MODEL, "0.2.0", root / "hf_model", gated=gated).files["README.md"].decode())
        for gated in (False, True)
    ]
    assert [card.data.get("extra_gated_prompt") is not None for card in cards] == [False, True]
    assert "checkbox" in cards[1].data.extra_gated_fields.values()
    assert cards[0].text == cards[1].text
    assert cards[0].data.model_name == cards[1].data.model_name


def test_the_space_names_what_it_shows_and_where_its_picture_is(root):
    files = space_release(SPACE, "0.2.0", MODEL, "v0.2.0", root / "space", "https://hub.example").files
    data = SpaceCard(files["README.md"].decode()).data
    assert data.preload_from_hub == [MODEL]
    assert data.datasets == ["HuggingFaceM4/FairFace"]  # the other one is private
    assert "face" in data.tags
    assert data.thumbnail == "https://hub.example/spaces/user/page/resolve/main/picture.png"
    assert files["picture.png"].stat().st_size < 500_000


@pytest.fixture
def small_page(monkeypatch):
    """A static page of three files: what it is made of is tested elsewhere."""

    def made(out, folder, page, model):
        out.mkdir()
        (out / "README.md").write_text("---\nsdk: static\n---\nA page.\n")
        (out / "index.html").write_text("<html></html>")
        (out / "constants.json").write_text(str(model))

    monkeypatch.setattr(publish, "write_page", made)


def publish_browser(monkeypatch, hub, version, *more):
    monkeypatch.setattr(publish, "HfApi", functools.partial(HfApi, endpoint=hub.url))
    publish.main(["browser", "--repo", MODEL, "--version", version, *more])


def test_the_static_page_names_the_model_that_is_in_it(hub, folders, small_page, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="Not published"):
        publish_browser(monkeypatch, hub, VERSIONS[0])  # its model is not there yet
    assert hub.repos == {}
    publish_all(monkeypatch, hub, folders, VERSIONS[0])
    publish_browser(monkeypatch, hub, VERSIONS[0], "--dry-run")
    assert ("space", f"{MODEL}-browser") not in hub.repos
    publish_browser(monkeypatch, hub, VERSIONS[0])
    repo = hub.repos["space", f"{MODEL}-browser"]
    assert set(repo.tags) == {f"v{VERSIONS[0]}"}
    files = hub.files("space", f"{MODEL}-browser")
    card = SpaceCard(files["README.md"].decode()).data
    assert (card.models, card.model_revision, card.sdk) == ([MODEL], f"v{VERSIONS[0]}", "static")
    assert b"'revision': 'v0.1.0'" in files["constants.json"]


def test_a_gated_models_weights_are_not_given_away_by_its_static_page(hub, folders, small_page, monkeypatch):
    publish_all(monkeypatch, hub, folders, VERSIONS[0], "--gated")
    with pytest.raises(SystemExit, match="everyone could take"):
        publish_browser(monkeypatch, hub, VERSIONS[0])
    assert ("space", f"{MODEL}-browser") not in hub.repos
    publish_browser(monkeypatch, hub, VERSIONS[0], "--private")
    assert hub.repos["space", f"{MODEL}-browser"].private
