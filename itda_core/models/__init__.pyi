from .activations import ActivationBatch as ActivationBatch
from .activations import capture as capture
from .activations import next_token_logits as next_token_logits
from .activations import stream as stream
from .language_model import LanguageModel as LanguageModel
from .loading import load_model as load_model
from .prediction import Predictions as Predictions
from .prediction import predict as predict
from .prediction import predict_spliced as predict_spliced
from .sites import Site as Site
from .spec import DEMO_MODELS as DEMO_MODELS
from .spec import ModelSpec as ModelSpec
from .spec import demo_folder as demo_folder

__all__ = [
    "DEMO_MODELS",
    "ActivationBatch",
    "LanguageModel",
    "ModelSpec",
    "Predictions",
    "Site",
    "capture",
    "demo_folder",
    "load_model",
    "next_token_logits",
    "predict",
    "predict_spliced",
    "stream",
]
