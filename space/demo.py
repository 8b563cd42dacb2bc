"""What the page's tabs and endpoints ask: one loaded model, answers within a time, errors as sentences."""

import concurrent.futures
import dataclasses
import importlib
import os
import traceback
from collections.abc import Callable

import numpy as np
import PIL.Image
from boxes import LARGEST_SIDE, draw_faces, shown_size
from charts import heat_over, laid_back
from face_card import is_unlikely
from model import chosen_model, find_model_folder, load_predictors, page_version, read_card, read_metrics

REQUEST_SECONDS = int(os.environ.get("REQUEST_SECONDS", "30"))
CONCURRENCY = 2  # a Space on CPU basic has two cores
TARGETS = ("age", "gender")


@dataclasses.dataclass(frozen=True)
class Face:
    """One face of an answer: the prediction as a dict, what the model saw, and the maps of both answers by target."""

    prediction: dict
    crop: PIL.Image.Image
    maps: dict[str, np.ndarray]
    square: object | None
    around: PIL.Image.Image | None = None  # twice as wide and high as the crop, which is its middle


@dataclasses.dataclass(frozen=True)
class Answer:
    """One photo's answer: the photo, None where it is no longer held, its faces in order, and how many there were."""

    photo: PIL.Image.Image | None
    faces: list[Face]
    found: int
    unlikely: frozenset[int] = frozenset()  # numbers of the faces that the detector half believes

    @property
    def predictions(self) -> list[dict]:
        return [face.prediction for face in self.faces]

    def annotated(self, largest: int = LARGEST_SIDE) -> PIL.Image.Image:
        """The photo with every face boxed and numbered, its longer side at most so many pixels."""
        return draw_faces(self.photo, self.predictions, unlikely=self.unlikely, largest=largest)

    def plain(self) -> list[dict]:
        """The predictions without their distributions, as programs and the page's data have them."""
        return [{key: value for key, value in face.items() if key != "age_distribution"} for face in self.predictions]

    def without_photo(self) -> "Answer":
        """The same without the photo: what is kept for the tabs."""
        return dataclasses.replace(self, photo=None)

    def surest_first(self) -> "Answer":
        """The same with the faces that are perhaps none last, as the page lists them."""
        order = sorted(range(len(self.faces)), key=lambda place: place + 1 in self.unlikely)
        unlikely = frozenset(range(len(order) - len(self.unlikely) + 1, len(order) + 1))
        return dataclasses.replace(self, faces=[self.faces[place] for place in order], unlikely=unlikely)

    def explained(self, target: str) -> PIL.Image.Image:
        """The photo with the maps of its faces laid back over them, boxed and numbered."""
        size, scale = shown_size(self.photo.size)
        heat = np.zeros((size[1], size[0]), np.float32)
        for face in self.faces:
            if face.square is not None and target in face.maps:
                over = laid_back(face.maps[target], face.square, size, scale)
                heat = np.where(np.abs(over) > np.abs(heat), over, heat)
        small = self.photo.resize(size, reducing_gap=2.0)
        return draw_faces(heat_over(small, heat, target), self.predictions, self.photo.size, unlikely=self.unlikely)


class Demo:
    """The page's functions around one model, loaded and warmed.

    ``predictor`` answers for photos, ``watching`` for frames of a camera.
    A model that cannot be had is no crash: ``problem`` says why, and the page shows it.
    """

    def __init__(self):
        self.predictor = self.watching = self.metrics = self.problem = None
        self.card = ""
        self.pool = concurrent.futures.ThreadPoolExecutor(CONCURRENCY, "predict")
        try:
            folder = find_model_folder()
            self.predictor, self.watching = load_predictors(folder)
            self.predictor.warm_up()
            self.card = read_card(folder)
            self.metrics = read_metrics(folder)
        except Exception as error:  # no network, no such repo, half a download, other weights, ...
            traceback.print_exc()
            self.problem = f"The model could not be loaded: {error}"

    def part(self, module: str):
        """A module of the pulled model repo, by its name in the package."""
        return importlib.import_module(f"hf_model.{module}")

    def versions(self) -> str:
        """A line for the page's foot: its version and the model's."""
        page, (repo, revision) = page_version(), chosen_model()
        parts = [f"Page {page}"] if page else []
        if self.predictor is not None:
            parts.append(f"Model {repo or 'from this folder'}{f' at {revision}' if revision else ''}")
            parts.append(f"version {self.predictor.settings.model_version}")
        return ", ".join(parts)

    def within_time(self, call: Callable, *arguments):
        """What a call gives, on one of a few threads.

        Raises:
            ValueError: a sentence for the visitor: no model, a bad photo, or the page is busy.
        """
        if self.problem:
            raise ValueError(self.problem)
        try:
            return self.pool.submit(call, *arguments).result(REQUEST_SECONDS)
        except TimeoutError:
            raise ValueError(
                f"This took longer than {REQUEST_SECONDS} seconds: the page is busy. Please try again in a minute."
            ) from None

    def answer(self, photo, all_faces: bool, targets: tuple[str, ...] = (), around: bool = False) -> Answer:
        """The faces of a photo (a file's path or bytes), with the maps of the targets, and the neighbourhood of the
        first face."""
        if not self.problem and not photo:
            raise ValueError("Please choose a photo first.")
        return self.within_time(self._analyse, photo, all_faces, targets, around)

    def read(self, photo) -> PIL.Image.Image:
        """The upright picture, or a sentence of what is wrong with it."""
        try:
            return self.predictor.read(photo)
        except ValueError as error:  # InvalidImageError of the pulled code
            raise ValueError(f"This file cannot be used: {getattr(error, 'reason', error)}.") from error

    def _analyse(self, photo, all_faces: bool, targets: tuple[str, ...], around: bool) -> Answer:
        image = self.read(photo)
        which = "all" if all_faces else "most_confident"
        analysis = self.predictor.analyse(image, faces=which, explain=targets)
        places = range(len(analysis.predictions))
        maps = [{target: analysis.explanations[target][place].heatmap for target in targets} for place in places]
        squares = [next((analysis.explanations[target][place].square for target in targets), None) for place in places]
        dicts = [prediction.to_dict(distribution=True) for prediction in analysis.predictions]
        faces = [Face(*row) for row in zip(dicts, analysis.crops, maps, squares, strict=True)]
        unlikely = frozenset(n for n, one in enumerate(dicts, start=1) if is_unlikely(one, self.predictor.settings))
        answer = Answer(image, faces, analysis.found, unlikely)
        return self._with_surroundings(answer.surest_first()) if around else answer

    def _with_surroundings(self, answer: Answer) -> Answer:
        """The first face with what is around it, for the changes that move the frame."""
        if not answer.faces or answer.faces[0].square is None:
            return answer
        first, size = answer.faces[0], self.predictor.size
        wide = dataclasses.replace(first.square, side=2 * first.square.side)
        seen = self.part("pictures.alignment").cut(answer.photo, wide, 2 * size)
        return dataclasses.replace(answer, faces=[dataclasses.replace(first, around=seen), *answer.faces[1:]])
