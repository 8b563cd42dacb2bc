"""The model class of transformers: the network of ``hf_model/network/`` as a ``PreTrainedModel``.

It trains, saves, compiles and runs on a GPU as any model of transformers. ``predictor`` is the whole way from a photo
to an answer, with the network computed here.
"""

import dataclasses
import importlib
import os
import pathlib
import tempfile
import types

import huggingface_hub
import torch
import transformers
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from .configuration_age_gender import AgeGenderConfig
from .package_age_gender import PULLING, package_of

ENGINE_OPTIONS = ("engine", "precision", "threads")  # the predictor's


@dataclasses.dataclass
class AgeGenderOutput(ModelOutput):
    """What the model says of N faces; nothing is calibrated.

    ``loss``: where labels were given; ``logits`` (N, 2): of male and female; ``age_logits`` (N, 117): of the ages 0 to
    116; ``age`` (N,): years, their mean.
    """

    loss: torch.FloatTensor | None = None
    logits: torch.FloatTensor | None = None
    age_logits: torch.FloatTensor | None = None
    age: torch.FloatTensor | None = None


class AgeGenderForImageClassification(PreTrainedModel):
    """Age and perceived gender of a face chip.

    Example:
        >>> model = AutoModelForImageClassification.from_pretrained("user/repo", trust_remote_code=True)
        >>> processor = AutoImageProcessor.from_pretrained("user/repo", trust_remote_code=True)
        >>> model(**processor(chip, return_tensors="pt")).age
        >>> model.predictor("photo.jpg")  # with the detector, calibrated
    """

    config_class = AgeGenderConfig
    base_model_prefix = "network"
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    supports_gradient_checkpointing = True
    _no_split_modules = ["TorchNetwork"]

    def __init__(self, config):
        super().__init__(config)
        self._pulled_by: dict = {}
        self._engine_options: dict = {}
        self._find_package()
        heads = self._parts.settings.Heads(**config.heads)
        name = getattr(config, "network", self._parts.layout.DEFAULT)
        self.network = self._parts.torch_network.TorchNetwork(name, heads, getattr(config, "dropout", 0.0))
        self._keep_in_fp32_modules_strict = self._kept_in_float32()
        self.post_init()

    def _kept_in_float32(self) -> list[str]:
        """BatchNorm, whose variances are larger than float16 reaches, and the dense layers, as transformers names them:
        4 by parts of names between dots, 5 by any part."""
        dense = [name for name, module in self.named_modules() if isinstance(module, torch.nn.Linear)]
        if int(transformers.__version__.partition(".")[0]) < 5:
            return ["normalization", *(name.rpartition(".")[2] for name in dense)]
        return ["normalization", *(f"{name}.{part}" for name in dense for part in ("weight", "bias"))]

    def _find_package(self) -> None:
        """Loads the package that the model came with, and its parts that a forward pass asks."""
        self.package = package_of(self.config.name_or_path, type(self).__module__, self.config)

        def part(name: str):
            return importlib.import_module(f"{self.package.__name__}.{name}")

        self._parts = types.SimpleNamespace(
            settings=part("settings"),
            layout=part("network.layout"),
            torch_network=part("network.torch_network"),
            torch_loss=part("network.torch_loss"),
        )

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
        """As transformers does it; ``engine``, ``precision`` and ``threads`` are those of :attr:`predictor`.

        The code is that of the repo and commit that this file was loaded from; ``revision`` says which configuration
        and weights.

        Raises:
            FileNotFoundError: a part is missing.
        """
        running = {name: kwargs.pop(name) for name in ENGINE_OPTIONS if name in kwargs}
        pulling = {name: kwargs[name] for name in PULLING if kwargs.get(name) is not None}
        name = os.fspath(pretrained_model_name_or_path)
        # Now, with the caller's options; __init__ finds it.
        package_of(name, cls.__module__, kwargs.get("config"), **pulling)
        loaded = super().from_pretrained(name, *args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        model._pulled_by = {"revision": kwargs.get("revision"), **pulling}
        model._engine_options = {name: value for name, value in running.items() if value not in (None, "auto")}
        return loaded

    def forward(self, pixel_values, labels=None, age=None, gender=None, return_dict=None, **kwargs):
        """Logits and ages, and with labels their loss.

        Args:
            pixel_values: (N, 3, S, S) float, as the image processor makes them: red, green, blue, less their means.
            labels: the same as ``gender``, under the name that ``Trainer`` knows.
            age: (N,) years, NaN where it is unknown; or (N, 2), the lowest and highest that the label allows.
            gender: (N,) 0 male, 1 female, negative where it is unknown.
            return_dict: False gives a tuple.

        Returns:
            :class:`AgeGenderOutput`.

        Raises:
            TypeError: photos in place of tensors.
        """
        if not isinstance(pixel_values, torch.Tensor):
            raise TypeError(
                f"pixel_values is {type(pixel_values).__name__}, a tensor is wanted: of photos ask model.predictor(...)."
            )
        parts = self._parts
        outputs = self.network(parts.torch_network.ordered(pixel_values, self.network.layout.preprocessing))
        gender_logits, age_logits = outputs["gender_logits"], outputs["age_logits"]
        years, distribution = parts.torch_network.ages_of(age_logits)
        gender = labels if gender is None else gender
        loss = None
        if age is not None or gender is not None:
            loss = parts.torch_loss.training_loss(years, distribution, gender_logits[:, 0], age, gender)
        logits = torch.cat([-gender_logits / 2, gender_logits / 2], dim=1)
        output = AgeGenderOutput(loss=loss, logits=logits, age_logits=age_logits, age=years)
        return output.to_tuple() if return_dict is False else output

    @property
    def predictor(self):
        """The whole way from photos to answers, an ``AgeGenderPredictor``; its network is this model as it is at each
        call, or another engine's, where one was asked for.

        Raises:
            ValueError: an engine of the processor was asked for, and the model is elsewhere or in another type.
            FileNotFoundError: a part of the model is missing.
        """
        if "_predictor" not in self.__dict__:
            self.__dict__["_predictor"] = self._new_predictor()
        return self.__dict__["_predictor"]

    def _new_predictor(self):
        options = dict(self._engine_options)
        if options.get("engine", "torch") == "torch" and not {"precision", "threads"} & options.keys():
            engine = importlib.import_module(f"{self.package.__name__}.network.engines.torch_engine")
            options = {"engine": engine.ModuleEngine(self.network)}
        elif self.device.type != "cpu" or self.dtype != torch.float32:
            asked = ", ".join(f"{name}={value!r}" for name, value in options.items())
            raise ValueError(f"{asked} runs another network than this one, which is {self.dtype} on {self.device}.")
        return self.package.AgeGenderPredictor.from_pretrained(self.config.name_or_path, **self._pulled_by, **options)

    def __getstate__(self):
        return {key: value for key, value in self.__dict__.items() if key not in ("package", "_parts", "_predictor")}

    def __setstate__(self, state):
        super().__setstate__(state)
        self._find_package()

    def save_pretrained(self, save_directory, **options):
        """As transformers does it, and all else that belongs to a model folder: code, card, licence, graphs.

        Weights that were changed leave calibration, familiarity, graphs and figures behind, which are of the old ones;
        ``python -m train.measure calibrate`` makes them anew.
        """
        source, target = self._folder(), pathlib.Path(save_directory)
        saving = importlib.import_module(f"{self.package.__name__}.saved_folder")
        should_push = options.pop("push_to_hub", False)
        named = {name: options.pop(name) for name in ("repo_id", "commit_message", "private") if name in options}
        for folder in dict.fromkeys((source, pathlib.Path(self.package.__file__).parent)):  # they may be of two commits
            saving.copy_folder(folder, target)
        super().save_pretrained(save_directory, **options)
        saving.settle(source, target)
        if should_push:
            return self._upload(target, named.pop("repo_id", target.name), options.get("token"), **named)
        return None

    def push_to_hub(self, repo_id, token=None, max_shard_size="50GB", **options):
        """The folder of :meth:`save_pretrained`, as one commit.

        Args:
            repo_id: ``"user/name"``; made where it is missing.
            token: of a user who may write; by default the stored login.
            **options: ``commit_message``, ``private``, ``revision``, ``create_pr``, as for ``huggingface_hub``.
        """
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary) / repo_id.rpartition("/")[2]
            self.save_pretrained(folder, max_shard_size=max_shard_size)
            return self._upload(folder, repo_id, token, **options)

    def _upload(self, folder, repo_id, token, private=None, commit_message="Upload model", **options):
        api = huggingface_hub.HfApi(token=token)
        repo = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        return api.upload_folder(repo_id=repo, folder_path=folder, commit_message=commit_message, **options)

    def _folder(self) -> pathlib.Path:
        """The folder that the model came from, whole: of a repo all its files, as far as they can be pulled."""
        name = self.config.name_or_path
        if os.path.isdir(name):
            return pathlib.Path(name)
        options = self._pulled_by | {"revision": getattr(self.config, "_commit_hash", None)}
        try:
            return pathlib.Path(huggingface_hub.snapshot_download(name, **options))
        except huggingface_hub.errors.LocalEntryNotFoundError:
            return pathlib.Path(huggingface_hub.snapshot_download(name, **options | {"local_files_only": True}))
