"""``config.json`` as frozen dataclasses: the one form in which the configuration crosses from file to file.

What is unknown or missing in it is an error that names the key. The names of sections of versions up to 0.3.0 are still
read.
"""

import dataclasses
import difflib
import functools
import json
import pathlib
import types
import typing
from collections.abc import Mapping

from .download import CONFIG_NAME, read_config


class SettingsError(ValueError):
    """A ``config.json`` that cannot be used; the message names the key."""


@dataclasses.dataclass(frozen=True)
class Input:
    """What the network is shown.

    ``size``: side of its square input in pixels; ``resample``: how a crop is resized to it, a name of Pillow's filters
    in lower case; ``max_pixels``: a larger picture is refused.
    """

    size: int
    resample: str
    max_pixels: int


@dataclasses.dataclass(frozen=True)
class Reading:
    """How picture files are read.

    ``drafted_side``: a JPEG file is decoded at a fraction of its size where the squares about its faces keep so many
    pixels, None never; ``formats``: Pillow's names of the formats that are read, None for all.
    """

    drafted_side: int | None = None
    formats: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Heads:
    """The two heads: ``conv_filters`` and ``conv_kernel`` (pixels) of their convolution, ``dense_units`` of their dense
    layer; ``age_bins``: whole years of the age's distribution, None for a plain age (version 0.1.0)."""

    conv_filters: int
    conv_kernel: int
    dense_units: int
    age_bins: int | None = None


@dataclasses.dataclass(frozen=True)
class Decision:
    """Probabilities of "female": below ``male_below`` the answer is "male", above ``female_above`` "female", else
    "uncertain"."""

    male_below: float
    female_above: float


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Least scores of MTCNN's three networks."""

    threshold_pnet: float
    threshold_rnet: float
    threshold_onet: float


@dataclasses.dataclass(frozen=True)
class FurtherPasses:
    """Further passes of the detector over a photo; what is 0 is not taken. All sizes in pixels.

    ``fine_size``: longer side of the finer pass, no larger than the photo, taken in tiles of ``tile_size`` that
    overlap by ``tile_overlap``, where no face of the first pass is larger than ``large_face`` of the photo's longer
    side; ``turned_size``: working size of the quarter turns; ``stretch``: the mean brightness, 0 to 1, that a
    poorly lit photo is brought to, ``stretched_percent`` of its darkest and of its brightest pixels given up, and
    ``thresholds`` MTCNN's there (its first networks lose a face that the last one, asked on its place, is sure of);
    ``sure_verification``: the least verification score of a face turned or poorly lit.
    """

    fine_size: int = 0
    tile_size: int = 640
    tile_overlap: int = 96
    large_face: float = 0.1
    turned_size: int = 0
    stretch: float = 0.0
    stretched_percent: float = 0.0
    thresholds: Thresholds | None = None
    sure_verification: float = 0.0


@dataclasses.dataclass(frozen=True)
class Detection:
    """The face detector.

    ``working_size``: the longer side of what the detector sees first; a larger image is scaled down, a smaller one is
    left as it is (a 12-megapixel photo takes seconds otherwise); ``min_face_size``: smallest face in pixels of what the
    detector sees; ``min_score``: boxes of a lower score are left out; ``landmark_scale``: side of the square on which a
    face is checked and its landmarks are refined, as a multiple of their spread, the root mean square distance from
    their mean; ``sure_verification``: the least verification score of a face (0 checks none); ``likely_verification``,
    ``likely_score``: the least verification score and score of a face that is kept where nothing surer is found in its
    place, as of heads that are turned far away; ``likely_size``: its least size, as a multiple of the largest sure
    face; ``verification_slack``: by so much a verification score may fall where landmarks are refined a second time;
    ``most_roll``: a face tilted by more degrees does not count as upright; ``most_overlap``: see
    :func:`hf_model.faces.face.merged`, 1 merges nothing; ``score_margin``: scores that differ by no more count as
    equal, see :func:`hf_model.faces.face.in_order`; ``further``: the further passes.
    """

    working_size: int
    min_face_size: int
    min_score: float
    landmark_scale: float
    sure_verification: float = 0.0
    likely_verification: float = 0.0
    likely_score: float = 0.0
    likely_size: float = 0.0
    verification_slack: float = 0.0
    most_roll: float = 180.0
    most_overlap: float = 1.0
    score_margin: float = 0.0
    further: FurtherPasses = FurtherPasses()

    @property
    def finest_size(self) -> int:
        """The longer side of the largest picture that is searched: a photo need not be read any larger."""
        return max(self.working_size, self.further.fine_size)


@dataclasses.dataclass(frozen=True)
class CropSide:
    """Weights of the squared distances between landmarks (:data:`hf_model.faces.face.DISTANCES`), whose weighted sum is
    the square of the crop's side."""

    eyes: float
    mouth: float
    eye_nose: float
    mouth_nose: float
    eye_mouth: float
    eye_mouth_across: float


@dataclasses.dataclass(frozen=True)
class CropCentre:
    """Weights of the points (:data:`hf_model.faces.face.POINTS`) whose weighted mean is near the crop's centre."""

    eyes: float
    nose: float
    mouth: float


@dataclasses.dataclass(frozen=True)
class CropRoll:
    """Weights of the lines by which a face's tilt is measured, see :func:`hf_model.faces.face.roll`."""

    eyes: float = 1.0
    mouth: float = 1.0
    down: float = 1.0


@dataclasses.dataclass(frozen=True)
class Crop:
    """How a found face is framed, measured by ``python -m train.measure crop``.

    ``offset_x`` and ``offset_y``: from the weighted mean of the points to the square's centre, as fractions of the
    side, along the square; ``roll``: None, as in version 0.1.0, turns no square; ``smallest``: of the side, as a
    multiple of the box's mean side; ``size``: side of the chip in pixels before it is resized to the network's input,
    None for that input's.
    """

    side: CropSide
    centre: CropCentre
    offset_x: float
    offset_y: float
    roll: CropRoll | None = None
    smallest: float = 0.0
    size: int | None = None


@dataclasses.dataclass(frozen=True)
class Feature:
    """A measure of a face scaled to 0 at ``start`` and 1 at ``end``; ``measure``: a name of
    :data:`hf_model.faces.quality.MEASURES`, ``"age"`` or ``"unfamiliarity"``. In the file: ``from`` and ``to``."""

    measure: str
    start: float
    end: float


@dataclasses.dataclass(frozen=True)
class FeatureProduct:
    """The product of two features: what is both is worse than either says."""

    both: tuple[Feature, ...]


@dataclasses.dataclass(frozen=True)
class SpreadWeights:
    """Of the logarithm of how far the true age is likely to lie on one side, in years: a constant, the weight of the
    logarithm of the distribution's own spread on that side, and one of each feature."""

    constant: float
    spread: float
    features: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class TemperatureWeights:
    """Of the logarithm of the temperature by which the gender's log odds are divided: a constant and one of each
    feature; ``shift`` is added to the divided log odds."""

    constant: float
    shift: float
    features: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The prediction interval of the age and the calibrated probability of the gender, see :mod:`hf_model.calibration`.

    ``coverage``: share of labels that the interval is to hold; ``features``: what the weights of ``younger``, ``older``
    and ``gender`` belong to; ``age_edges`` (years) and ``familiarity_edges``: between the groups of faces; ``factors``:
    of the intervals, one row a familiarity group, one column a group of predicted age.
    """

    coverage: float
    features: tuple[Feature | FeatureProduct, ...]
    younger: SpreadWeights
    older: SpreadWeights
    age_edges: tuple[float, ...]
    familiarity_edges: tuple[float, ...]
    gender: TemperatureWeights
    factors: tuple[tuple[float, ...], ...]


@dataclasses.dataclass(frozen=True)
class QualityLimit:
    """From where on a measure of a picture earns a warning, and what it costs there.

    ``measure``: a name of :data:`hf_model.faces.quality.MEASURES`; ``beyond``: ``"below"`` or ``"above"`` the
    ``threshold``; ``age_mae`` and ``age_mae_usual``, years, ``gender_accuracy`` and ``gender_accuracy_usual``: on test
    faces beyond it and on all as they are; ``n``: of how many faces beyond it; of the verification score instead the
    shares below it of faces (``real``) and of things that are none (``none``).
    """

    measure: str
    beyond: str
    threshold: float
    age_mae: float | None = None
    gender_accuracy: float | None = None
    age_mae_usual: float | None = None
    gender_accuracy_usual: float | None = None
    n: int | None = None
    real: float | None = None
    none: float | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """A model's ``config.json``: ``network``: a name of :data:`hf_model.network.layout.NETWORKS`; ``calibration``: None
    for weights that were not calibrated; ``quality``: the limits of warnings; ``calibrated_for``: sha256 of the weights
    file that both were measured on, None where nobody wrote it down."""

    input: Input
    heads: Heads
    decision: Decision
    detection: Detection
    crop: Crop
    model_version: str = "unknown"
    network: str = "resnet50"
    reading: Reading = Reading()
    calibration: Calibration | None = None
    quality: tuple[QualityLimit, ...] = ()
    calibrated_for: str | None = None

    @classmethod
    def load(cls, folder: pathlib.Path) -> "Settings":
        """Those of a model folder.

        Raises:
            FileNotFoundError: it has no ``config.json``.
            SettingsError: a key is unknown or missing.
        """
        try:
            return cls.of(read_config(folder))
        except json.JSONDecodeError as error:
            raise SettingsError(f"{folder / CONFIG_NAME} is not JSON: {error}.") from error
        except SettingsError as error:
            raise SettingsError(f"{folder / CONFIG_NAME}: {error}") from None

    @classmethod
    def of(cls, config: Mapping) -> "Settings":
        """From the content of ``config.json``, in which transformers has keys of its own."""
        names = {field.name for field in dataclasses.fields(cls)}
        ours = {}
        for key, value in config.items():
            name = RENAMED.get(key, key)
            if name in names:
                ours[name] = value
            elif near := difflib.get_close_matches(key, names, 1, 0.85):
                raise SettingsError(f"unknown key {key!r}; did you mean {near[0]!r}?")
        return _read(cls, ours, "")


SECTIONS_OF_WEIGHTS = ("calibration", "quality", "calibrated_for")  # which are measured on one set of weights
# Sections, keys in them and measures, as versions up to 0.3.0 called them.
RENAMED = {"doubt": "calibration"}
RENAMED_KEYS = {
    "sure_level": "sure_verification",
    "likely_level": "likely_verification",
    "level_slack": "verification_slack",
}
RENAMED_MEASURES = {"level": "verification_score"}
SPELLED = {"start": "from", "end": "to"}  # fields whose names in the file are words of Python, or would read ill there


@functools.cache
def _types(kind: type) -> dict:
    return typing.get_type_hints(kind)


def _read(kind, value, where: str):
    """A value of ``config.json`` as a type: a dataclass, a tuple, a union of such, or a plain one.

    Raises:
        SettingsError: it does not fit.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType or origin is typing.Union:
        return _read_union(arguments, value, where)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise SettingsError(f"{where} is {value!r}: a list is wanted.")
        return tuple(_read(arguments[0], one, f"{where}[{place}]") for place, one in enumerate(value))
    wanted = (int, float) if kind is float else (kind,)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise SettingsError(f"{where} is {value!r}: {kind.__name__} is wanted.")
    return value


def _read_union(kinds: tuple, value, where: str):
    """Of several types the one that fits: None, or the dataclass that has all the keys."""
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    if len(others) > 1 and isinstance(value, Mapping):
        others = [kind for kind in others if value.keys() <= _keys(kind).keys()] or others
    return _read(others[0], value, where)


def _keys(kind: type) -> dict[str, dataclasses.Field]:
    """The fields of a dataclass by their names in the file."""
    return {SPELLED.get(field.name, field.name): field for field in dataclasses.fields(kind)}


def _read_dataclass(kind: type, value, where: str):
    if not isinstance(value, Mapping):
        raise SettingsError(f"{where} is {value!r}: an object is wanted.")
    fields, before = _keys(kind), f"{where}." if where else ""
    value = {RENAMED_KEYS.get(key, key): one for key, one in value.items()}
    if kind is QualityLimit and value.get("measure") in RENAMED_MEASURES:
        value["measure"] = RENAMED_MEASURES[value["measure"]]
    for key in value:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, 1)
            known = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(fields)}."
            raise SettingsError(f"unknown key {before + key!r}; {known}")
    made = {}
    for key, field in fields.items():
        if key in value:
            made[field.name] = _read(_types(kind)[field.name], value[key], before + key)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise SettingsError(f"missing key {before + key!r}.")
    return kind(**made)


def as_json(settings) -> dict | list:
    """A part of the settings as ``config.json`` has it: what is None is left out."""
    if dataclasses.is_dataclass(settings):
        values = {
            SPELLED.get(field.name, field.name): getattr(settings, field.name) for field in dataclasses.fields(settings)
        }
        return {key: as_json(value) for key, value in values.items() if value is not None}
    if isinstance(settings, tuple):
        return [as_json(one) for one in settings]
    return settings
