"""Dictionaries of atoms: how one is grown, what it is, how it is kept.

Nothing here loads torch before it is used, so that a page can list dictionaries at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from itda_core.dictionaries.config import METHODS, SELECTIONS, TrainConfig
    from itda_core.dictionaries.dictionary import AtomDictionary, DictionarySpec
    from itda_core.dictionaries.labels_only import LabelsOnly, read_labels, write_labels
    from itda_core.dictionaries.provenance import AtomLabel
    from itda_core.dictionaries.rebuilding import rebuild
    from itda_core.dictionaries.storage import DictionarySummary, read_summary
    from itda_core.dictionaries.threshold import cosine_of
    from itda_core.dictionaries.training import LayerProgress, TrainProgress, train

_HOMES = {
    "METHODS": "config",
    "SELECTIONS": "config",
    "TrainConfig": "config",
    "AtomDictionary": "dictionary",
    "DictionarySpec": "dictionary",
    "LabelsOnly": "labels_only",
    "read_labels": "labels_only",
    "write_labels": "labels_only",
    "AtomLabel": "provenance",
    "rebuild": "rebuilding",
    "DictionarySummary": "storage",
    "read_summary": "storage",
    "cosine_of": "threshold",
    "LayerProgress": "training",
    "TrainProgress": "training",
    "train": "training",
}

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


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
