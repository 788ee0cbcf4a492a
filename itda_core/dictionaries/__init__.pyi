from .config import METHODS as METHODS
from .config import SELECTIONS as SELECTIONS
from .config import TrainConfig as TrainConfig
from .dictionary import AtomDictionary as AtomDictionary
from .growing.growth import LayerProgress as LayerProgress
from .growing.progress import TrainProgress as TrainProgress
from .growing.training import train as train
from .labels_only import LabelsOnly as LabelsOnly
from .labels_only import read_labels as read_labels
from .labels_only import write_labels as write_labels
from .provenance import AtomLabel as AtomLabel
from .rebuilding import rebuild as rebuild
from .spec import DictionarySpec as DictionarySpec
from .storage.dictionary_folder import DictionarySummary as DictionarySummary
from .storage.dictionary_folder import read_summary as read_summary
from .threshold import cosine_of as cosine_of

__all__ = [
    "METHODS",
    "SELECTIONS",
    "AtomDictionary",
    "AtomLabel",
    "DictionarySpec",
    "DictionarySummary",
    "LabelsOnly",
    "LayerProgress",
    "TrainConfig",
    "TrainProgress",
    "cosine_of",
    "read_labels",
    "read_summary",
    "rebuild",
    "train",
    "write_labels",
]
