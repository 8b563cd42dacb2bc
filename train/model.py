"""The model as it is trained: the shipped network's variables, with only the stage's part moving."""

import keras
from keras import ops

from hf_model.architecture import DISTRIBUTION, backbone_layers, build_model, head_layers
from hf_model.folding import fold, run_backbone
from train.recipe import Recipe, Stage

# The first stage of ResNet50 that a stage of training computes anew, by what it trains.
FIRST_TRAINED = {"heads": 6, "conv5": 5, "conv4": 4, "all": 1}


class TrainingModel(keras.Model):
    """Wraps a network of :func:`hf_model.architecture.build_model` for one recipe.

    The backbone runs with its BatchNorm in inference mode, folded into the kernels, in the recipe's
    ``compute_dtype``; the heads run in float32. Their BatchNorm learns its statistics while the
    features below are (all but) frozen and is then held too: end to end, a BatchNorm in training mode
    hides any drift of the features' mean from the loss, which then runs ahead of the moving average
    (seen here: validation MAE 31.8 at a training MAE of 8.5). While ``from_activations`` is set the
    input is a cached activation, not a picture.
    """

    def __init__(self, network: keras.Model, recipe: Recipe):
        super().__init__(name="training")
        self.network = network
        self.recipe = recipe
        self.from_activations = False
        self.first_stage = 1
        self.updates_head_statistics = True
        features = network.get_layer("conv5_block3_out").output
        self.heads = keras.Model(features, network.output, name="heads")

    def folded(self, name: str) -> tuple:
        """Kernel and bias of one convolution, differentiable with respect to the Keras variables."""
        return fold(self.network.get_layer(f"{name}_conv"), self.network.get_layer(f"{name}_bn"))

    def frozen(self, pictures):
        """The activations that the frozen part hands to the trained part, float32."""
        dtype = self.recipe.compute_dtype
        return ops.cast(run_backbone(self.folded, pictures, 1, self.first_stage - 1, dtype), "float32")

    def call(self, inputs, training=None):
        first = self.first_stage if self.from_activations else 1
        x = inputs
        if first <= 5:
            x = run_backbone(self.folded, x, first, 5, self.recipe.compute_dtype)
        return self.heads(ops.cast(x, "float32"), training=training and self.updates_head_statistics)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Metrics over the rows that weigh anything, all alike: not over unknown genders, nor over a padded batch's rest."""
        if sample_weight is not None:
            sample_weight = keras.tree.map_structure(lambda weight: ops.cast(weight > 0, "float32"), sample_weight)
        return super().compute_metrics(x, y, y_pred, sample_weight)


def prepare_stage(model: TrainingModel, stage: Stage, steps_per_epoch: int) -> None:
    """Sets what may move, and compiles: optimizer, losses, metrics."""
    recipe = model.recipe
    stages = [f"conv{number}" for number in range(FIRST_TRAINED[stage.train], 6)]
    trained = [layer for name in stages for layer in backbone_layers(model.network, name)]
    for layer in backbone_layers(model.network):
        layer.trainable = layer in trained
    for layer in head_layers(model.network):
        layer.trainable = layer.name != "age"  # its kernel is the years
    model.first_stage = FIRST_TRAINED[stage.train]
    model.from_activations = bool(stage.cached_variants)
    model.updates_head_statistics = stage.train in ("heads", "conv5")
    optimizer = keras.optimizers.AdamW(
        learning_rate=learning_rate(stage, steps_per_epoch),
        weight_decay=recipe.weight_decay,
        clipnorm=10.0,
        use_ema=recipe.weight_average > 0,
        ema_momentum=recipe.weight_average,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    # The distribution's target is a softened label: Gao et al., Deep Label Distribution Learning, TIP 2017.
    losses = {
        "age": keras.losses.Huber(delta=recipe.huber_delta),
        DISTRIBUTION: keras.losses.CategoricalCrossentropy(),
        "gender": keras.losses.BinaryCrossentropy(),
    }
    model.compile(
        optimizer=optimizer,
        loss=losses,
        loss_weights={"age": recipe.huber_weight, DISTRIBUTION: recipe.soft_age_weight, "gender": recipe.bce_weight},
        weighted_metrics={
            "age": [keras.metrics.MeanAbsoluteError(name="mae")],
            "gender": [keras.metrics.BinaryAccuracy(name="accuracy"), keras.metrics.AUC(name="auc")],
        },
    )


def learning_rate(stage: Stage, steps_per_epoch: int):
    """The stage's rate as a number, or as a schedule over its steps."""
    steps = steps_per_epoch * (stage.schedule_epochs or stage.epochs)
    if stage.schedule == "constant" and not stage.warmup_steps:
        return stage.learning_rate
    end = stage.learning_rate if stage.schedule == "constant" else stage.final_learning_rate
    warmup = min(stage.warmup_steps, steps // 2)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else stage.learning_rate,
        decay_steps=max(steps - warmup, 1),
        alpha=end / stage.learning_rate,
        warmup_target=stage.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def new_model(recipe: Recipe, heads: dict, backbone_weights: str | None) -> TrainingModel:
    """A training model with fresh heads, seeded by the recipe, accepting pictures of any size."""
    keras.utils.set_random_seed(recipe.seed)
    return TrainingModel(build_model(heads, None, backbone_weights), recipe)
