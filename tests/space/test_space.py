import os
import sys

import numpy as np
import PIL.Image
import pytest


@pytest.fixture(scope="module")
def presentation(root):
    sys.path.insert(0, str(root / "space"))
    try:
        import presentation

        yield presentation
    finally:
        sys.path.remove(str(root / "space"))


@pytest.fixture(scope="module")
def client(space_url):
    from gradio_client import Client

    return Client(space_url, verbose=False)


def face(**changes):
    values = {
        "age": 33.4, "age_interval": [26.0, 41.0], "gender": "female", "female_probability": 0.91,
        "box": {"xmin": 20, "ymin": 10, "xmax": 60, "ymax": 70}, "detection_score": 0.99,
    }  # fmt: skip
    return values | changes


DECISION = {"male_below": 0.45, "female_above": 0.55}


def test_boxes_are_drawn_on_a_copy(presentation):
    photo = PIL.Image.new("RGB", (200, 100), "white")
    drawn = np.asarray(presentation.draw_faces(photo, [face()]))
    assert np.asarray(photo).min() == 255
    assert drawn.shape == (100, 200, 3)
    for y, x in ((40, 20), (40, 60), (70, 40)):
        assert drawn[y, x].min() < 200
    assert drawn[85, 150].min() == 255


@pytest.mark.parametrize("size", [(6000, 3000), (1, 20000)])
def test_a_large_photo_is_shown_small_enough_to_be_sent(presentation, size):
    box = {"xmin": 0, "ymin": 0, "xmax": size[0] // 2, "ymax": size[1] // 2}
    drawn = presentation.draw_faces(PIL.Image.new("RGB", size, "white"), [face() | {"box": box}])
    assert max(drawn.size) == 2048
    if size[0] > 1:
        assert drawn.size == (2048, 1024)
        assert np.asarray(drawn)[400, 1023].min() < 200  # the box's right side, at half the width
        assert np.asarray(drawn)[400, 1500].min() == 255


def test_answers_are_said_in_words(presentation):
    text = presentation.describe_faces(
        [face(), face(gender="male", female_probability=0.1), face(gender="uncertain", female_probability=0.5)],
        DECISION,
    )
    assert "about 33 years" in text
    assert "26 to 41" in text
    assert "perceived as female, probability 91%" in text
    assert "perceived as male, probability 90%" in text
    assert "uncertain: the model cannot tell" in text
    assert "left:45%;width:10%" in text


def test_warnings_and_a_turned_photo_are_said(presentation):
    warned = face(rotation=90, warnings=["The face is 24 pixels across; below 48, ages were <off>."])
    text = presentation.describe_faces([warned], DECISION)
    assert text.count('class="warning"') == 2
    assert "turned by 90° to the left" in text
    assert "were &lt;off&gt;" in text
    assert 'class="warning"' not in presentation.describe_faces([face(rotation=0, warnings=[])], DECISION)


def test_the_error_of_faces_answered_so_is_named(presentation):
    def figures(error, right):
        return {"age_mae": {"value": error}, "gender_accuracy": {"value": right}}

    metrics = {
        "by_predicted_age": {"6-12": figures(3.2, 0.71), "30-39": figures(5.67, 0.95), "40-49": figures(9.9, 0.9)}
    }
    told = presentation.describe_faces([face()], DECISION, metrics)
    assert "Faces answered as 30-39 were off by 5.7 years on average in tests." in told
    child = presentation.describe_faces([face(age=9.0)], DECISION, metrics)
    assert "answered as 6-12 were off by 3.2 years on average in tests; the gender was right for 71% of them." in child


def test_no_face_is_a_sentence(presentation):
    assert "No face was found" in presentation.describe_faces([], DECISION)
    assert "&lt;b&gt;" in presentation.message("<b>")


def test_card_sections_are_read_from_the_card(presentation):
    card = "---\na: 1\n---\n# T\n\n## Bias\n\n- one\n\n### sub\n\ntwo\n\n## Other\nx"
    assert presentation.card_section(card, "Bias") == "- one\n\n### sub\n\ntwo"
    assert presentation.card_section(card, "Nothing") == ""


def test_the_api_answers_for_the_astronaut(client, astronaut, tmp_path, fastest):
    from gradio_client import handle_file

    astronaut.save(tmp_path / "astronaut.png")
    picture, faces = client.predict(handle_file(str(tmp_path / "astronaut.png")), api_name="/predict")
    with PIL.Image.open(picture) as annotated:
        assert annotated.size == (512, 512)
    (expected,) = fastest(astronaut)
    assert len(faces) == 1
    assert faces[0]["box"] == expected.box
    assert faces[0]["gender"] == expected.gender
    assert faces[0]["age"] == pytest.approx(expected.age, abs=0.01)


def test_the_documented_endpoints_are_those_without_files(client):
    """The others would become tools whose file Gradio fetches from anywhere; they are called by name all the same."""
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {"/predict_face", "/explain_face"}


def test_a_picture_without_a_face_gives_the_picture_and_an_empty_list(client, tmp_path):
    from gradio_client import handle_file

    PIL.Image.new("RGB", (120, 80), "gray").save(tmp_path / "gray.png")
    picture, faces = client.predict(handle_file(str(tmp_path / "gray.png")), api_name="/predict")
    assert faces == []
    assert picture


def test_two_visitors_with_the_same_photo_share_no_file(space_url, tmp_path):
    from gradio_client import Client, handle_file

    PIL.Image.new("RGB", (120, 80), "gray").save(tmp_path / "gray.png")
    visitors = [Client(space_url, verbose=False, download_files=False) for _ in range(2)]
    shown = [visitor.predict(handle_file(str(tmp_path / "gray.png")), api_name="/predict")[0] for visitor in visitors]
    assert shown[0]["path"] != shown[1]["path"]


def test_a_broken_file_is_a_sentence_and_the_next_one_is_served(client, astronaut, tmp_path):
    from gradio_client import handle_file

    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(Exception, match="cannot be used: not a picture"):
        client.predict(handle_file(str(tmp_path / "text.jpg")), api_name="/predict")
    astronaut.save(tmp_path / "a.jpg")
    assert len(client.predict(handle_file(str(tmp_path / "a.jpg")), api_name="/predict")[1]) == 1


def test_the_page_names_the_limits_of_the_card(space_url):
    import urllib.request

    page = urllib.request.urlopen(f"{space_url}/config", timeout=30).read().decode()
    for text in ("Before you start", "I understand", "Limitations", "## Bias", "binary label"):
        assert text in page


def test_requirements_hold_no_pytorch_and_agree_with_the_constraints(root):
    wanted = set((root / "space" / "requirements.txt").read_text().split())
    tested = {line.lower() for line in (root / "constraints.txt").read_text().splitlines()}
    assert {line.lower() for line in wanted} <= tested
    assert not any(line.startswith(("torch", "transformers")) for line in wanted)


def test_a_model_that_cannot_be_had_is_told_on_the_page(root, tmp_path):
    import urllib.request

    from gradio_client import Client, handle_file

    from tests.support import jpeg_bytes, running_space

    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "MODEL_ID": "user/nothing"}
    (tmp_path / "photo.jpg").write_bytes(jpeg_bytes(1))
    with running_space(root, environment) as url:
        page = urllib.request.urlopen(f"{url}/config", timeout=30).read().decode()
        assert "The model could not be loaded" in page
        with pytest.raises(Exception, match="The model could not be loaded"):
            Client(url, verbose=False).predict(handle_file(str(tmp_path / "photo.jpg")), api_name="/predict")


def test_the_front_matter_names_the_model_where_no_variable_does(root, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "space"))
    import model

    for name in ("MODEL_ID", "MODEL_REVISION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(model, "FRONT_MATTER", tmp_path / "README.md")
    assert model.chosen_model() == (None, None)
    (tmp_path / "README.md").write_text("---\nsdk: gradio\nmodels:\n- user/model\nmodel_revision: v0.2.0\n---\n")
    assert model.chosen_model() == ("user/model", "v0.2.0")
    monkeypatch.setenv("MODEL_ID", "other/model")
    assert model.chosen_model() == ("other/model", None)


def test_a_port_that_is_taken_is_a_sentence(root, tmp_path):
    import os
    import socket
    import subprocess
    import sys

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = {**os.environ, "GRADIO_SERVER_PORT": str(port)}
        command = [sys.executable, str(root / "space" / "app.py")]
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.strip().splitlines()[-1] == (
        f"No page at 127.0.0.1:{port} (Address already in use): set GRADIO_SERVER_PORT to another port."
    )
