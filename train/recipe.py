"""Recipes: one experiment a TOML file in ``train/recipes/``; every constant of training lives there."""

import dataclasses
import pathlib
import tomllib

from hf_model.network.engines.processor import multiplies_bfloat16

RECIPES = pathlib.Path(__file__).with_name("recipes")
TRAINED_PARTS = ("heads", "conv5", "conv4", "all")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Ranges of :mod:`train.augment`; 0 switches a change off.

    ``rotation`` in degrees; ``shift`` and ``scale`` as fractions of the side; ``shear`` and ``perspective`` as
    fractions of the side that an edge is moved by; ``brightness``, ``contrast``, ``saturation``, ``gamma`` and
    ``cast`` (of each colour) as fractions around 1, each applied to half of the chips. The others are
    probabilities: ``squeeze``: of narrowing the picture to 0.55 to 0.95 of its width; ``camera``: of a poor
    camera's chain (shrunk to 24 to 64 pixels, noise, JPEG, enlarged); ``surround``: of hiding what lies around
    the face; ``halves``: of covering a side, the brow or the lower face; ``cover``: mouth, eyes or forehead;
    ``tint``: of strongly coloured light; ``dim``: of little light, with noise. ``strong`` is the share of the
    pictures that may be changed by ``squeeze`` and whatever comes after it in the list of fields, ``flip`` apart.
    """

    flip: float = 0.0
    strong: float = 1.0
    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    perspective: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    gamma: float = 0.0
    cast: float = 0.0
    squeeze: float = 0.0
    side_light: float = 0.0
    tint: float = 0.0
    dim: float = 0.0
    grey: float = 0.0
    blur: float = 0.0
    jpeg: float = 0.0
    camera: float = 0.0
    surround: float = 0.0
    halves: float = 0.0
    cover: float = 0.0
    erase: float = 0.0


_FIELDS = [field.name for field in dataclasses.fields(Augmentation)]
STRONG = tuple(_FIELDS[_FIELDS.index("squeeze") :])


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of training.

    ``train``: what is trained, ``"heads"``, ``"conv5"`` (and the heads), ``"conv4"`` (and what
    follows) or ``"all"``; ``size``: side of the input; ``zoom``: a chip is resized to between
    ``zoom[0]`` and ``zoom[1]`` times that side and a random square of the input's size is cut out of
    it, so that a face can be as large as at prediction in a smaller picture (validation sees whole
    chips at ``size * zoom[1]``); ``batch_size``: 0 for the recipe's; ``parts``: how many epochs one
    pass over the chips is split into, so that checkpoints come often where a pass takes long;
    ``optimizer``: ``"adamw"``, or ``"sgd"`` with Nesterov's momentum; ``weight_decay``: the share of
    the weights taken away per step is this times the rate, None for the recipe's; ``schedule``:
    ``"constant"``; ``"cosine"`` to ``final_learning_rate``, reached after ``schedule_epochs``, 0 for
    ``epochs``; or ``"shared"``, one cosine over all the stages that say so, by the pixels they see;
    ``cached_variants``: how many augmented variants of the frozen part's activations are kept on
    disk and cycled through by epoch, 0 to compute them anew; ``patience``: epochs without a better
    validation gender AUC before the stage ends; ``keep``: which epoch goes on, ``"best"`` by that
    AUC, or ``"last"``. A stage that trains ``"all"`` normalizes by each batch's own statistics, the others hold them.
    """

    name: str
    train: str
    size: int
    epochs: int
    learning_rate: float
    zoom: tuple[float, float] = (1.0, 1.0)
    batch_size: int = 0
    optimizer: str = "adamw"
    weight_decay: float | None = None
    schedule: str = "constant"
    final_learning_rate: float = 0.0
    schedule_epochs: int = 0
    warmup_steps: int = 0
    cached_variants: int = 0
    parts: int = 1
    patience: int = 3
    keep: str = "best"

    @property
    def validation_size(self) -> int:
        """Side of a whole chip at the largest scale that the stage trains on."""
        return round(self.size * self.zoom[1])

    def carries_on(self, before: "Stage") -> bool:
        """Whether the optimizer's momentum is carried over from the stage before: the same moves the same."""
        return (self.optimizer, self.train) == (before.optimizer, before.train)

    def __post_init__(self):
        if self.train not in TRAINED_PARTS:
            raise ValueError(f"stage {self.name!r}: train={self.train!r} is not one of {TRAINED_PARTS}.")
        if self.schedule not in ("constant", "cosine", "shared") or self.keep not in ("best", "last"):
            raise ValueError(
                f"stage {self.name!r}: schedule is 'constant', 'cosine' or 'shared', keep is 'best' or 'last'."
            )
        if self.optimizer not in ("adamw", "sgd"):
            raise ValueError(f"stage {self.name!r}: optimizer={self.optimizer!r} is neither 'adamw' nor 'sgd'.")
        if self.cached_variants and self.train == "all":
            raise ValueError(f"stage {self.name!r}: with train='all' nothing is frozen, so nothing can be cached.")
        object.__setattr__(self, "zoom", tuple(self.zoom))
        if len(self.zoom) != 2 or not 1 <= self.zoom[0] <= self.zoom[1]:
            raise ValueError(f"stage {self.name!r}: zoom={list(self.zoom)} is not two rising numbers from 1.")
        if self.cached_variants and self.zoom != (1.0, 1.0):
            raise ValueError(f"stage {self.name!r}: zoom cuts anew in every epoch, so nothing can be cached.")
        if self.parts < 1 or (self.cached_variants and self.parts > 1):
            raise ValueError(f"stage {self.name!r}: parts is at least 1, and 1 where activations are cached.")


@dataclasses.dataclass(frozen=True)
class FurtherSet:
    """What a recipe takes of a set beside UTKFace.

    ``times``: how often a pass shows each face; ``hold_out``: how many faces do not train and choose instead;
    ``gender_weights``: by race as the set names it, how much its faces' loss of the gender weighs beside the others', 1
    where it is not named; the set's mean stays 1.
    """

    times: int = 1
    hold_out: int = 0
    gender_weights: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Teacher:
    """Learning from another model's answers for the very pictures that are shown.

    ``share``: of the losses of the age's distribution and of the gender, how much is the distance to the other model's
    answer; the rest is to the label. ``copies``: into how many changed pictures each face is made, in turn one an
    epoch, mirrored or not: the other model answers each once, before the training.

    Source: Hinton et al., Distilling the Knowledge in a Neural Network, 2015; the same picture for both: Beyer et al.,
    Knowledge distillation: A good teacher is patient and consistent, CVPR 2022.
    """

    share: float
    copies: int


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A whole training: network, loss, augmentation, the sets beside UTKFace by name, and the stages in order.

    ``compute_dtype``: of the backbone, or ``"auto"``: bfloat16 where the processor multiplies it, else float32;
    ``network``: a name of :data:`hf_model.network.layout.NETWORKS`; ``conv_filters`` and ``dense_units``: of its heads,
    0 for those of the shipped model; ``teacher``: another model whose answers are learnt from too, None for none.
    ``soft_age_weight``: of the loss of the age's distribution, :class:`train.losses.AgeLikelihood`, whose labels are
    soft by ``age_spread`` (base, per year, most); ``gender_smoothing``: the gender's labels are that far from 0 and 1,
    halved; ``dropout``: the share of the pooled features left out before the dense layers; ``label_conflicts``: as the
    dataset's builder takes it; ``age_rarity_power``: how much more the losses of the age weigh rare ages, see
    :func:`train.batches.age_rarity`, 0 for not at all, with ``age_smoothing``, ``largest_age_weight`` and
    ``widest_bin``; ``momentum``: of SGD, Nesterov's; ``largest_gradient``: norm to which a variable's gradient is
    shortened; ``statistics_rate``: by how much a step moves BatchNorm's running statistics; ``validation_chips``: how
    many validation chips of each set an epoch is judged on, 0 for all; ``weight_average``: above 0, the momentum of the
    mean of the weights that is judged and that ships, :class:`train.average.WeightAverage`.
    """

    name: str
    seed: int
    batch_size: int
    compute_dtype: str
    huber_delta: float
    huber_weight: float
    bce_weight: float
    soft_age_weight: float
    age_spread: tuple[float, float, float]
    label_conflicts: str
    age_rarity_power: float
    age_smoothing: float
    largest_age_weight: float
    widest_bin: int
    weight_decay: float
    momentum: float
    largest_gradient: float
    statistics_rate: float
    cache_limit_gb: float
    validation_chips: int
    augmentation: Augmentation
    stages: tuple[Stage, ...]
    weight_average: float = 0.0
    dropout: float = 0.0
    gender_smoothing: float = 0.0
    sets: dict[str, FurtherSet] = dataclasses.field(default_factory=dict)
    network: str = "resnet50"
    conv_filters: int = 0
    dense_units: int = 0
    teacher: Teacher | None = None

    def __post_init__(self):
        object.__setattr__(self, "age_spread", tuple(self.age_spread))
        filled = []
        for stage in self.stages:
            decay = self.weight_decay if stage.weight_decay is None else stage.weight_decay
            size = stage.batch_size or self.batch_size
            filled.append(dataclasses.replace(stage, batch_size=size, weight_decay=decay))
        object.__setattr__(self, "stages", tuple(filled))
        rates = {(s.learning_rate, s.final_learning_rate) for s in self.stages if s.schedule == "shared"}
        if len(rates) > 1:
            raise ValueError("the stages of a shared schedule have one learning_rate and one final_learning_rate.")

    @property
    def dtype(self) -> str:
        """What ``compute_dtype`` means on this machine."""
        if self.compute_dtype != "auto":
            return self.compute_dtype
        return "bfloat16" if multiplies_bfloat16() else "float32"

    def share_of_schedule(self, stage: Stage) -> tuple[float, float]:
        """Where a stage of this recipe begins and ends in the shared schedule, 0 to 1, by the pixels that its stages
        see."""
        index = self.stages.index(stage)
        seen = [s.epochs / s.parts * s.size**2 * (s.schedule == "shared") for s in self.stages]
        return sum(seen[:index]) / sum(seen), sum(seen[: index + 1]) / sum(seen)

    def without_lengths(self) -> "Recipe":
        """The recipe with no epochs: what must stay the same in a run that is shortened or goes on for longer."""
        return dataclasses.replace(self, stages=tuple(dataclasses.replace(s, epochs=0) for s in self.stages))

    def starting_at(self, name: str) -> "Recipe":
        """The recipe without the stages before the one of that name.

        Raises:
            ValueError: there is none.
        """
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise ValueError(f"recipe {self.name!r} has no stage {name!r}; its stages are {', '.join(names)}.")
        return dataclasses.replace(self, stages=self.stages[names.index(name) :])


def load_recipe(name_or_path: str) -> Recipe:
    """A recipe by name, that of a file in ``train/recipes/`` without its ``.toml``, or from a ``.toml`` path.

    Raises:
        FileNotFoundError: no such recipe; the message lists those there are.
        ValueError: a key is missing, unknown or out of range.
    """
    path = pathlib.Path(name_or_path)
    if path.suffix != ".toml":
        path = RECIPES / f"{name_or_path}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
        raise FileNotFoundError(f"No recipe {name_or_path!r}. Known: {known}; or pass the path of a .toml file.")
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        augmentation = Augmentation(**values.pop("augmentation", {}))
        stages = tuple(Stage(**stage) for stage in values.pop("stages"))
        sets = {name: FurtherSet(**of) for name, of in values.pop("sets", {}).items()}
        teacher = Teacher(**values.pop("teacher")) if "teacher" in values else None
        return Recipe(name=path.stem, augmentation=augmentation, stages=stages, sets=sets, teacher=teacher, **values)
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path}: {error}") from error
