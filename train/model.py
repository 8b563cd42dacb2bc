"""The model as it is trained: the shipped network's variables, with only the stage's part moving."""

import math

import keras
from keras import ops

from hf_model.network.architecture import DISTRIBUTION, HEADS, backbone_layers, build_model, head_layers
from hf_model.network.folding import fold, run_backbone
from hf_model.network.layout import DEFAULT, network_of
from hf_model.settings import Heads
from train.losses import GenderLoss, OutsideHuber, TaughtLikelihood, inside, outside
from train.normalization import absorb_bias, normalize
from train.recipe import Recipe, Stage
from train.start import load_backbone

# The first stage of the backbone that a stage of training computes anew, by what it trains.
FIRST_TRAINED = {"heads": 6, "conv5": 5, "conv4": 4, "all": 1}


class TrainingModel(keras.Model):
    """Wraps a network of :func:`hf_model.network.architecture.build_model` for one recipe.

    In a stage that trains all layers every BatchNorm normalizes by the batch's own statistics, and the running ones
    follow. In the others those of the backbone are held, and folded into the kernels; those of the heads learn while
    the features below are (all but) frozen. The backbone, and with live BatchNorm the heads' convolutions, run in the
    recipe's ``compute_dtype``; the rest in float32. While ``from_activations`` is set the input is a cached activation,
    not a picture.
    """

    def __init__(self, network: keras.Model, recipe: Recipe):
        super().__init__(name="training")
        self.network = network
        self.layout = network_of(recipe.network)
        self.recipe = recipe
        self.from_activations = False
        self.first_stage = 1
        self.updates_head_statistics = True
        self.is_live = False
        self.channels_first = keras.backend.backend() == "torch"
        self.dropout_seed = keras.random.SeedGenerator(recipe.seed, name="dropout")

    def folded(self, name: str) -> tuple:
        """Kernel and bias of one convolution, differentiable with respect to the Keras variables."""
        return fold(self.network.get_layer(f"{name}_conv"), self.network.get_layer(f"{name}_bn"))

    def plain(self, name: str) -> tuple:
        """The kernel of one convolution whose bias its BatchNorm has taken in."""
        return self.network.get_layer(f"{name}_conv").kernel, None

    def normalized(self, name: str, x):
        """A convolution's output normalized by the batch's own statistics."""
        return normalize(self.network.get_layer(f"{name}_bn"), x, self.channels_first, self.recipe.statistics_rate)

    def frozen(self, pictures):
        """The activations that the frozen part hands to the trained part, float32."""
        dtype = self.recipe.dtype
        return ops.cast(run_backbone(self.layout, self.folded, pictures, 1, self.first_stage - 1, dtype), "float32")

    def call(self, inputs, training=None):
        first = self.first_stage if self.from_activations else 1
        live = bool(training and self.is_live)
        get, normalization = (self.plain, self.normalized) if live else (self.folded, None)
        x = inputs
        if first <= 5:
            x = run_backbone(self.layout, get, x, first, 5, self.recipe.dtype, normalization)
        outputs: dict = {}
        for head in HEADS:
            outputs |= self._head(head, x, training, live)
        return outputs

    def _head(self, name: str, features, training, live: bool) -> dict:
        """One head's outputs, through its layers; what lies before its dense layers is dropped out in training."""
        layer = self.network.get_layer
        if live:
            kernel = ops.cast(layer(f"{name}_conv").kernel, self.recipe.dtype)
            layout = "channels_first" if self.channels_first else "channels_last"
            x = ops.transpose(features, (0, 3, 1, 2)) if self.channels_first else features
            x = ops.relu(self.normalized(name, ops.conv(x, kernel, padding="same", data_format=layout)))
            x = ops.mean(ops.cast(x, "float32"), axis=(2, 3) if self.channels_first else (1, 2))
        else:
            x = layer(f"{name}_conv")(ops.cast(features, "float32"))
            x = layer(f"{name}_bn")(x, training=bool(training and self.updates_head_statistics))
            x = layer(f"{name}_pool")(layer(f"{name}_relu")(x))
        if training and self.recipe.dropout:
            x = keras.random.dropout(x, self.recipe.dropout, seed=self.dropout_seed)
        x = layer(f"{name}_dense")(x)
        if name == "age" and DISTRIBUTION in self.network.output_names:
            x = layer(DISTRIBUTION)(x)
            return {DISTRIBUTION: x, name: layer(name)(x)}
        return {name: layer(name)(x)}

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Metrics over the rows that weigh anything, all alike: not over unknown genders, nor over a padded batch's
        rest; beside the labels alone."""
        if sample_weight is not None:
            sample_weight = keras.tree.map_structure(lambda weight: ops.cast(weight > 0, "float32"), sample_weight)
            known = ops.cast(y["gender"][:, 0] >= 0, "float32")
            sample_weight = {**sample_weight, "gender": sample_weight["gender"] * known}
        y = {**y, "gender": y["gender"][:, :1], **({DISTRIBUTION: y[DISTRIBUTION][:, :2]} if DISTRIBUTION in y else {})}
        return super().compute_metrics(x, y, y_pred, sample_weight)


def prepare_stage(model: TrainingModel, stage: Stage, steps_per_epoch: int) -> None:
    """Sets what may move, and compiles: optimizer, losses, metrics."""
    recipe = model.recipe
    stages = [f"conv{number}" for number in range(FIRST_TRAINED[stage.train], 6)]
    trained = [layer for name in stages for layer in backbone_layers(model.network, name)]
    for layer in backbone_layers(model.network):
        layer.trainable = layer in trained
    for layer in head_layers(model.network):
        layer.trainable = (
            layer.name != "age" or DISTRIBUTION not in model.network.output_names
        )  # else its kernel is the years
    model.first_stage = FIRST_TRAINED[stage.train]
    model.from_activations = bool(stage.cached_variants)
    model.updates_head_statistics = stage.train in ("heads", "conv5")
    model.is_live = stage.train == "all"
    if model.is_live:
        for layer in trained:
            if isinstance(layer, keras.layers.Conv2D) and layer.bias is not None:
                absorb_bias(layer, model.network.get_layer(layer.name.removesuffix("conv") + "bn"))
                layer.bias.trainable = False
    share = recipe.teacher.share if recipe.teacher else 0.0
    losses = {
        "age": OutsideHuber(recipe.huber_delta),
        DISTRIBUTION: TaughtLikelihood(recipe.age_spread, share),
        "gender": GenderLoss(recipe.gender_smoothing, share),
    }
    model.compile(
        optimizer=make_optimizer(recipe, stage, steps_per_epoch),
        loss=losses,
        loss_weights={"age": recipe.huber_weight, DISTRIBUTION: recipe.soft_age_weight, "gender": recipe.bce_weight},
        weighted_metrics={
            "age": [
                keras.metrics.MeanMetricWrapper(outside, name="mae"),
                keras.metrics.MeanMetricWrapper(inside, name="inside"),
            ],
            "gender": [keras.metrics.BinaryAccuracy(name="accuracy"), keras.metrics.AUC(name="auc")],
        },
    )


def make_optimizer(recipe: Recipe, stage: Stage, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer of a stage; it lets no bias and no scale of a BatchNorm decay."""
    decay = recipe.weight_decay if stage.weight_decay is None else stage.weight_decay
    options = {
        "learning_rate": learning_rate(recipe, stage, steps_per_epoch),
        "weight_decay": decay,
        "clipnorm": recipe.largest_gradient,
    }
    if stage.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(momentum=recipe.momentum, nesterov=True, **options)
    else:
        optimizer = keras.optimizers.AdamW(**options)
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    return optimizer


class CosinePart(keras.optimizers.schedules.LearningRateSchedule):
    """A part of one cosine from ``highest`` to ``lowest``.

    Args:
        begin, end: where in the cosine the part lies, 0 to 1.
        steps: how many steps the part has.
        warmup_steps: over which the rate rises to the cosine first.
    """

    def __init__(self, highest: float, lowest: float, begin: float, end: float, steps: int, warmup_steps: int):
        super().__init__()
        self.highest, self.lowest, self.begin, self.end = highest, lowest, begin, end
        self.steps, self.warmup_steps = steps, warmup_steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        position = self.begin + (self.end - self.begin) * ops.minimum(step / self.steps, 1.0)
        rate = self.lowest + (self.highest - self.lowest) * 0.5 * (1 + ops.cos(math.pi * position))
        return rate * ops.minimum((step + 1) / self.warmup_steps, 1.0) if self.warmup_steps else rate

    def get_config(self):
        return {name: getattr(self, name) for name in ("highest", "lowest", "begin", "end", "steps", "warmup_steps")}


def learning_rate(recipe: Recipe, stage: Stage, steps_per_epoch: int):
    """The stage's rate as a number, or as a schedule over its steps."""
    if stage.schedule == "constant" and not stage.warmup_steps:
        return stage.learning_rate
    if stage.schedule == "shared":
        begin, end = recipe.share_of_schedule(stage)
        steps = steps_per_epoch * stage.epochs
        return CosinePart(
            stage.learning_rate,
            stage.final_learning_rate,
            begin,
            end,
            max(steps, 1),
            min(stage.warmup_steps, steps // 2),
        )
    steps = steps_per_epoch * (stage.schedule_epochs or stage.epochs)
    end = stage.learning_rate if stage.schedule == "constant" else stage.final_learning_rate
    warmup = min(stage.warmup_steps, steps // 2)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else stage.learning_rate,
        decay_steps=max(steps - warmup, 1),
        alpha=end / stage.learning_rate,
        warmup_target=stage.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def new_model(recipe: Recipe, heads: Heads, backbone_weights: str | None) -> TrainingModel:
    """A training model with fresh heads, seeded by the recipe, accepting pictures of any size.

    Args:
        backbone_weights: None, or ImageNet's: of ResNet50 as :func:`hf_model.network.architecture.build_model` takes
            them, of another network a file as :func:`train.start.load_backbone` does.
    """
    keras.utils.set_random_seed(recipe.seed)
    is_resnet = recipe.network == DEFAULT
    network = build_model(heads, None, backbone_weights if is_resnet else None, recipe.network)
    if backbone_weights and not is_resnet:
        load_backbone(network, recipe.network, backbone_weights)
    return TrainingModel(network, recipe)
