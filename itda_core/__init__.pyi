from .analysis import decompose as decompose
from .analysis import evaluate as evaluate
from .dictionaries import AtomDictionary as AtomDictionary
from .dictionaries import TrainConfig as TrainConfig
from .dictionaries import train as train
from .errors import UserError as UserError
from .models import ModelSpec as ModelSpec
from .models import load_model as load_model
from .text import Corpus as Corpus

__all__ = [
    "AtomDictionary",
    "Corpus",
    "ModelSpec",
    "TrainConfig",
    "UserError",
    "decompose",
    "evaluate",
    "load_model",
    "train",
]
