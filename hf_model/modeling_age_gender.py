"""The model class that transformers' AutoModel finds: a thin coat around the predictor.

transformers' ``pipeline`` wants a model with a handful of PyTorch-like members. The network itself
stays Keras on TensorFlow; PyTorch is needed by ``pipeline`` alone and never by this model.

transformers 4.57 copies from a local folder only the files that this one imports directly, so all
files of the package that are needed stand here.
"""

from .ahead import calls_ahead  # noqa: F401
from .alignment import cut  # noqa: F401
from .architecture import build_model  # noqa: F401
from .cascade import Cascade  # noqa: F401
from .configuration_age_gender import AgeGenderConfig
from .detection import FaceDetector  # noqa: F401
from .download import find_model  # noqa: F401
from .engines import make_engine  # noqa: F401
from .explain import Explanation  # noqa: F401
from .faces import Face  # noqa: F401
from .folding import run_model  # noqa: F401
from .graph_files import network_file  # noqa: F401
from .graphs import network_graph  # noqa: F401
from .images import read_image  # noqa: F401
from .keras_engine import KerasEngine  # noqa: F401
from .looking import Looker  # noqa: F401
from .prediction import Prediction  # noqa: F401
from .predictor import AgeGenderPredictor
from .preprocessing import preprocess  # noqa: F401
from .quality import measure_quality  # noqa: F401
from .quantized import QuantizedGraph  # noqa: F401
from .weights import load_weights  # noqa: F401


class PreTrainedModel:
    """Tells transformers 4.57, which reads a model's framework off its ancestors' names, to go on."""


class AgeGenderModel(PreTrainedModel):
    """What AutoModel returns: ``predictor`` does the work."""

    config_class = AgeGenderConfig
    main_input_name = "pixel_values"
    framework = "pt"
    device = "cpu"
    dtype = None
    hf_device_map = None
    _auto_class = None

    def __init__(self, config: AgeGenderConfig, predictor: AgeGenderPredictor):
        self.config = config
        self.predictor = predictor

    @classmethod
    def from_pretrained(cls, name_or_path, *args, config=None, revision=None, token=None, cache_dir=None, **kwargs):
        """Loads from a folder or a Hub repo; other keyword arguments of transformers have no meaning here."""
        options = {"revision": revision, "token": token, "cache_dir": cache_dir}
        if config is None:
            config = AgeGenderConfig.from_pretrained(name_or_path, **options)
        return cls(config, AgeGenderPredictor.from_pretrained(name_or_path, **options))

    def __call__(self, images, **options):
        """What the predictor answers, see :meth:`hf_model.predictor.AgeGenderPredictor.__call__`."""
        return self.predictor(images, **options)

    @classmethod
    def register_for_auto_class(cls, auto_class="AutoModel"):
        cls._auto_class = auto_class

    def to(self, *args, **kwargs):
        return self

    def eval(self):
        return self

    def can_generate(self):
        return False
