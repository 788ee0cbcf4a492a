"""Inference-Time Decomposition of Activations: atoms that were really seen, and what they explain.

The names below are imported when first used, so that `import itda_core` loads neither torch nor transformers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from itda_core.threads import wait_passively

if TYPE_CHECKING:
    from itda_core.analysis import decompose, evaluate
    from itda_core.dictionaries import AtomDictionary, TrainConfig, train
    from itda_core.errors import UserError
    from itda_core.models import ModelSpec, load_model
    from itda_core.text import Corpus

wait_passively()  # before anything loads a numeric library

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

_HOMES = {
    "AtomDictionary": "itda_core.dictionaries",
    "Corpus": "itda_core.text",
    "ModelSpec": "itda_core.models",
    "TrainConfig": "itda_core.dictionaries",
    "UserError": "itda_core.errors",
    "decompose": "itda_core.analysis",
    "evaluate": "itda_core.analysis",
    "load_model": "itda_core.models",
    "train": "itda_core.dictionaries",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
