import importlib
import os
import sys
import types

import numpy as np
import PIL.Image
import pytest


@pytest.fixture(scope="module")
def part(root):
    """A module of the page by its name."""
    sys.path.insert(0, str(root / "space"))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(root / "space"))


@pytest.fixture(scope="module")
def client(space_url):
    from gradio_client import Client

    return Client(space_url, verbose=False)


def face(**changes):
    values = {
        "age": 33.4,
        "age_interval": [26.0, 41.0],
        "gender": "female",
        "female_probability": 0.91,
        "box": {"xmin": 20, "ymin": 10, "xmax": 60, "ymax": 70},
        "detection_score": 0.99,
    }
    return values | changes


SETTINGS = types.SimpleNamespace(
    decision=types.SimpleNamespace(male_below=0.45, female_above=0.55),
    quality=(types.SimpleNamespace(measure="verification_score", beyond="below", threshold=0.8),),
)
METRICS = {
    "by_predicted_age": {
        "3-5": {"age_mae": {"value": 1.5}, "gender_accuracy": {"value": 0.71}},
        "6-12": {"age_mae": {"value": 3.2}, "gender_accuracy": {"value": 0.88}},
        "30-39": {
            "age_mae": {"value": 5.67},
            "gender_accuracy": {"value": 0.95},
            "age_interval_coverage": {"value": 0.78},
        },
        "70-116": {"age_mae": {"value": 6.7}, "age_bias": {"value": 3.1}},
    },
    "errors_by_predicted_age": {"30-39": [-10.0, -4.0, -1.0, 0.5, 2.0, 3.0, 6.0, 8.0, 12.0, 20.0]},
    "age_interval_width": {"median": 15.0},
    "overall": {"age_cs5": {"value": 0.65}},
    "external": {"fairface_sample": {"inside_bin": {"value": 0.42}, "gender_10plus": {"value": 0.85}}},
}


def test_boxes_are_drawn_on_a_copy_and_numbers_beside_them(part):
    boxes = part("boxes")
    photo = PIL.Image.new("RGB", (200, 160), "white")
    drawn = np.asarray(boxes.draw_faces(photo, [face(box={"xmin": 20, "ymin": 60, "xmax": 60, "ymax": 120})]))
    assert np.asarray(photo).min() == 255
    assert drawn.shape == (160, 200, 3)
    for y, x in ((90, 20), (90, 60), (120, 40)):
        assert drawn[y, x].min() < 200
    assert drawn[:58].min() == 255  # one face has no number
    both = [face(box={"xmin": x, "ymin": 60, "xmax": x + 14, "ymax": 76}) for x in (20, 100)]
    drawn = np.asarray(boxes.draw_faces(photo, both))
    for x in (20, 100):
        assert drawn[45:57, x : x + 10].min() < 200  # the number stands above the small face,
        assert drawn[64:72, x + 4 : x + 10].min() == 255  # which stays seen


def test_a_doubted_face_is_dashed_and_no_two_faces_share_a_colour(part):
    boxes = part("boxes")
    box = {"xmin": 20, "ymin": 20, "xmax": 180, "ymax": 180}
    sides = [
        np.asarray(boxes.draw_faces(PIL.Image.new("RGB", (200, 200), "white"), [face(box=box)], unlikely=unlikely))[
            20, 20:180
        ]
        for unlikely in (frozenset(), frozenset({1}))
    ]
    assert (sides[0].min(axis=1) < 200).all()
    assert 0.3 < (sides[1].min(axis=1) < 200).mean() < 0.7
    assert len({boxes.colour_of(number) for number in range(1, 41)}) == 40


@pytest.mark.parametrize("size", [(6000, 3000), (1, 20000)])
def test_a_large_photo_is_shown_small_enough_to_be_sent(part, size):
    box = {"xmin": 0, "ymin": 0, "xmax": size[0] // 2, "ymax": size[1] // 2}
    drawn = part("boxes").draw_faces(PIL.Image.new("RGB", size, "white"), [face() | {"box": box}])
    assert max(drawn.size) == 2048
    if size[0] > 1:
        assert drawn.size == (2048, 1024)
        assert np.asarray(drawn)[400, 1023].min() < 200  # the box's right side, at half the width
        assert np.asarray(drawn)[400, 1500].min() == 255


def described(part, *faces, metrics=None, found=None):
    return part("face_card").describe_faces(list(faces), [None] * len(faces), SETTINGS, metrics, found)


def test_answers_are_said_in_words(part):
    text = described(
        part, face(), face(gender="male", female_probability=0.1), face(gender="uncertain", female_probability=0.5)
    )
    assert "about <b>33</b> years" in text
    assert "Four times in five the true age lies between 26 and 41." in text
    assert "perceived as <b>female</b>, 91%" in text
    assert "perceived as <b>male</b>, 90%" in text
    assert "gender uncertain" in text
    assert "left:45%;width:10%" in text
    assert text.index("Face 1") < text.index("Face 2") < text.index("Face 3")


def test_warnings_stand_directly_under_the_number_and_a_turned_photo_is_said(part):
    warned = face(rotation=90, warnings=["The face is only 24 pixels wide. In tests, ages were <off>."])
    text = described(part, warned)
    assert text.count('class="alert"') == 2
    assert "<b>The face is only 24 pixels wide.</b><span>In tests, ages were &lt;off&gt;.</span>" in text
    assert "turned 90° to the left" in text
    assert text.index('class="range"') < text.index('class="alert"') < text.index("perceived as")
    assert 'class="alert"' not in described(part, face(rotation=0, warnings=[]))


def test_the_error_of_faces_answered_so_is_named(part):
    told = described(part, face(), metrics=METRICS)
    assert (
        "the error of estimates from 30 to 39 was 5.7 years on average, and 78% of the true ages really fell inside"
        in told
    )
    assert "unusually wide" in described(part, face(age_interval=[10.0, 60.0]), metrics=METRICS)


@pytest.mark.parametrize(
    ("age", "heading"),
    [
        (4.0, "For children this is hardly better than a guess: about 1 in 3 wrong."),
        (9.0, "For children this is less sure: about 1 in 8 wrong."),
    ],
)
def test_a_childs_gender_is_greyed_and_headed(part, age, heading):
    told = described(part, face(age=age), metrics=METRICS)
    assert f'<div class="unsure"><p>{heading}</p>' in told
    assert 'class="unsure"' not in described(part, face(), metrics=METRICS)


def test_a_face_that_is_half_believed_is_said_so(part):
    unlikely = face(quality={"verification_score": 0.6})
    assert part("face_card").is_unlikely(unlikely, SETTINGS)
    assert not part("face_card").is_unlikely(face(quality={"verification_score": 0.9}), SETTINGS)
    told = described(part, face(), unlikely)
    assert told.index("Face 1") < told.index("This may not be a face")


def test_the_faces_that_are_doubted_come_last(part):
    Answer, Face = part("demo").Answer, part("demo").Face
    faces = [Face({"age": age}, None, {}, None) for age in (1, 2, 3)]
    ordered = Answer(None, faces, 3, frozenset({1})).surest_first()
    assert [one.prediction["age"] for one in ordered.faces] == [2, 3, 1]
    assert ordered.unlikely == {3}


def test_no_face_and_further_faces_are_a_sentence(part):
    assert "No face was found" in described(part)
    assert "3 faces were found" in described(part, face(), found=3)
    assert "&lt;b&gt;" in part("face_card").message("<b>")


def test_a_guess_is_compared_by_the_errors_of_faces_answered_so(part):
    guess = part("guess")
    # Answered 33.4, guessed 39.4: of the ten errors those above 3 put the truth nearer to the guess: 6, 8, 12 and 20.
    assert guess.share_closer(39.4, 33.4, METRICS["errors_by_predicted_age"]["30-39"]) == 0.4
    assert "a guess like yours was closer to the true age 40% of the time" in guess.compare(39.4, 33.4, METRICS)
    assert "You agree" in guess.compare(33.0, 33.4, METRICS)
    # Four years off: 1, 0.5, 2 and 3 were closer.
    assert "off by 4 years. For 40% of test faces estimated at 30 to 39 it was closer." in guess.judge(
        37.4, 33.4, METRICS
    )
    assert guess.judge(90.0, 85.0, METRICS).count("%") == 0


def test_three_notes_are_chosen_by_what_was_found(part):
    notes = part("notes")
    plain, old, child = (notes.beside_answer([face(age=age)], METRICS) for age in (33.0, 75.0, 6.0))
    assert plain.count("<li>") == old.count("<li>") == child.count("<li>") == 3
    assert "age group was right for 42%" in plain
    assert "estimates from 70 and older were off by 6.7 years, on average 3.1 years too old" in old
    assert "Children" in child
    assert "Children" not in plain
    poor = notes.beside_answer([face(warnings=["Dark. In tests x."], quality={"faces": 3, "face_size": 30})], METRICS)
    for told in ("A warning means", "small face", "Each face"):
        assert told in poor
    assert notes.beside_answer([], METRICS) == ""


def test_card_sections_are_read_from_the_card(part):
    card = "---\na: 1\n---\n# T\n\n## Bias\n\n- one\n\n### sub\n\ntwo\n\n## Other\nx"
    section = part("about").card_section
    assert section(card, "Bias") == "- one\n\n### sub\n\ntwo"
    assert section(card, "Nothing") == ""


def test_a_frame_is_a_small_jpeg_or_a_sentence(part):
    import base64
    import io

    live = part("live")
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (1280, 720)).save(buffer, "JPEG")
    uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    assert live.read_frame(uri).size == (640, 360)
    for bad in (
        None,
        3,
        "http://example.invalid/a.jpg",
        "data:image/jpeg;base64,AAAA",
        "data:image/png;base64,AAAA",
        uri + "A" * 2_000_000,
    ):
        with pytest.raises(ValueError, match="frame of the camera cannot be used"):
            live.read_frame(bad)


@pytest.fixture(scope="module")
def seen(part, root, fastest):
    """The astronaut's face as the tabs keep it, and the module of changes."""
    import dataclasses

    from hf_model.pictures import changes
    from hf_model.pictures.alignment import cut

    with PIL.Image.open(root / "space" / "examples" / "astronaut.jpg") as photo:
        photo = photo.convert("RGB")
        (explained,) = fastest.explain(photo)
    wide = dataclasses.replace(explained.square, side=2 * explained.square.side)
    face = part("demo").Face(
        explained.prediction.to_dict(), explained.crop, {}, explained.square, cut(photo, wide, 448)
    )
    return part("presets"), changes, face, photo, explained.square


def test_a_wider_margin_is_cut_from_the_photo_itself(seen):
    import dataclasses

    from hf_model.pictures.alignment import cut

    presets, changes, face, photo, square = seen
    wider = np.asarray(presets.changed(changes, face, [("margin", 0.3)]), np.int32)
    truth = np.asarray(cut(photo, dataclasses.replace(square, side=1.6 * square.side), 224), np.int32)
    smeared = np.asarray(changes.margin(face.crop, 0.3), np.int32)
    assert np.abs(wider - truth).mean() < 6 < np.abs(smeared - truth).mean()
    assert np.array_equal(presets.changed(changes, face, [("margin", 0.0), ("tilt", 0)]), face.crop)


def test_every_preset_changes_the_face(seen):
    presets, changes, face, _, _ = seen
    for preset in presets.PRESETS:
        altered = np.asarray(presets.changed(changes, face, list(preset.changes)), np.int32)
        assert np.abs(altered - np.asarray(face.crop, np.int32)).mean() > 1, preset.name


def test_the_poor_example_is_poor_enough_for_warnings(root, fastest):
    (answer,) = fastest(root / "space" / "examples" / "poor.jpg")
    assert answer.warnings


def test_a_photo_costs_one_run_of_detector_and_network(part, root, monkeypatch):
    """Answer, maps of both targets and the neighbourhood for the other tabs."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("MODEL_ID", "MODEL_REVISION"):
        monkeypatch.delenv(name, raising=False)
    kept = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "hf_model"}
    try:
        demo = part("demo").Demo()
        ran = []
        answerer = sys.modules["hf_model.answering"].Answerer
        detector = type(demo.predictor.detector)
        monkeypatch.setattr(answerer, "run", counted(answerer.run, "network", ran))
        monkeypatch.setattr(detector, "__call__", counted(detector.__call__, "detector", ran))
        answer = demo.answer(str(root / "space" / "examples" / "astronaut.jpg"), False, ("age", "gender"), True)
        photo = part("photo")
        assert "about" in photo.words_of(demo, answer.without_photo())
        assert photo.why(answer.without_photo()).count("<img") == 2
        assert "data:image/webp" in photo.picture_of(answer)
        assert answer.faces[0].around.size == (448, 448)
        assert sorted(ran) == ["detector", "network"]
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "hf_model"]:
            del sys.modules[name]
        sys.modules.update(kept)


def counted(call, name: str, ran: list):
    def counting(self, *given, **named):
        ran.append(name)
        return call(self, *given, **named)

    return counting


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
    for text in ("I may use this photo", "up to 20 MB and 50 megapixels", "Limitations", "## Bias", "binary label"):
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
