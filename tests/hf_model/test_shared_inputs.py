"""Inputs that share a file, a buffer or an iterator: every answer is that of what was handed over, at its time."""

import io
import tarfile

import numpy as np
import PIL.Image
import PIL.ImageSequence
import pytest

from hf_model import AgeGenderPredictor, InvalidImageError


@pytest.fixture(scope="module")
def fast(root):
    pytest.importorskip("onnxruntime", reason="an extra that is not installed")
    return AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx")


@pytest.fixture(scope="module")
def frames(astronaut):
    """Pictures of one size that are told apart by their answers: a dark one, none, a mirrored one."""
    plain = astronaut.crop((100, 0, 400, 300))
    dark = plain.point([value * 2 // 5 for value in range(256)] * 3)
    return [dark, PIL.Image.new("RGB", plain.size, "grey"), plain.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT), plain]


@pytest.fixture(scope="module")
def expected(fast, frames):
    return [ages(fast(frame)) for frame in frames]


def ages(faces):
    return [round(face.age, 1) for face in faces]


def close(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert len(one) == len(other)
        assert np.allclose(one, other, atol=0.2), (found, expected)
    return True


def encoded(frame, kind="PNG"):
    buffer = io.BytesIO()
    frame.copy().save(buffer, kind)  # Pillow remembers in a picture how it was encoded last
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_one_lazily_opened_picture_given_many_times(fast, frames, kind):
    once = ages(fast(encoded(frames[3], kind)))
    for _ in range(5):
        shared = PIL.Image.open(encoded(frames[3], kind))
        assert close([ages(faces) for faces in fast([shared] * 4)], [once] * 4)
        assert shared.load() is not None  # and it can still be read by its owner


def test_a_generator_that_refills_one_array(fast, frames, expected):
    def refilled():
        buffer = np.empty((300, 300, 3), np.uint8)
        for frame in frames * 2:
            buffer[:] = np.asarray(frame)
            yield buffer
        buffer[:] = 0

    assert close([ages(faces) for faces in fast(refilled())], expected * 2)
    assert close([ages(faces) for faces in fast.stream(refilled(), batch_size=3)], expected * 2)


def test_a_generator_that_refills_one_picture_or_one_buffer_of_bytes(fast, frames, expected):
    def pictures():
        shared = frames[0].copy()
        for frame in frames:
            shared.paste(frame)
            yield shared

    def buffers():
        shared = bytearray()
        for frame in frames:
            shared[:] = encoded(frame).getvalue()
            yield shared

    assert close([ages(faces) for faces in fast(pictures())], expected)
    assert close([ages(faces) for faces in fast(buffers())], expected)


def test_members_of_an_open_archive_one_after_the_other(fast, frames, expected, tmp_path):
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        for number, frame in enumerate(frames):
            data = encoded(frame).getvalue()
            info = tarfile.TarInfo(f"{number}.png")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))

    def members():
        with tarfile.open(tmp_path / "all.tar", "r|") as archive:  # a stream: what is passed is gone
            for member in archive:
                yield archive.extractfile(member)

    assert close([ages(faces) for faces in fast(members(), on_error="return")], expected)


def test_the_callers_own_error_is_raised_behind_the_answers_before_it(fast, frames, expected):
    class Broken(Exception):
        pass

    def breaking():
        yield frames[0]
        yield b"not a picture"
        yield frames[3]
        raise Broken("the caller's")

    answers = fast.stream(breaking(), on_error="return")
    first, second, third = (next(answers) for _ in range(3))
    assert close([ages(first), ages(third)], [expected[0], expected[3]])
    assert isinstance(second, InvalidImageError)
    with pytest.raises(Broken, match="the caller's"):
        next(answers)
    with pytest.raises(Broken):
        fast(breaking(), on_error="return")


@pytest.mark.parametrize(("kind", "options"), [("GIF", {}), ("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_an_animation_is_the_frame_it_stands_at_and_is_left_there(fast, frames, kind, options):
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], **options)
    animation = PIL.Image.open(buffer)  # opened anew below: Pillow itself cannot go back in every kind
    alone = []
    for number in range(animation.n_frames):
        animation.seek(number)
        alone.append(ages(fast(animation.convert("RGB"))))
    assert len({tuple(one) for one in alone}) >= 3
    for number in (0, 1, 2):
        animation = PIL.Image.open(buffer)
        animation.seek(number)
        assert close([ages(fast(animation))], [alone[number]])
        assert close([ages(faces) for faces in fast([animation, frames[3]])], [alone[number], ages(fast(frames[3]))])
        assert animation.tell() == number
    with PIL.Image.open(buffer) as animation:
        assert close([ages(faces) for faces in fast(PIL.ImageSequence.Iterator(animation))], alone)
    assert close([ages(fast(buffer.getvalue()))], [alone[0]])  # a file is its first frame


def test_files_that_cannot_be_read_cost_themselves_alone(fast, frames, expected):
    class Dead(io.BytesIO):
        def read(self, *args):
            raise OSError("the disk is gone")

    found = fast([frames[0], Dead(b"x"), encoded(frames[3])], on_error="return")
    assert close([ages(found[0]), ages(found[2])], [expected[0], expected[3]])
    assert "the disk is gone" in str(found[1])


def test_bad_options_are_said_at_once_by_a_stream_too(fast):
    with pytest.raises(ValueError, match="batch_size"):
        fast.stream([], batch_size=0)
