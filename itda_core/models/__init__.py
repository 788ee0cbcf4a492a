"""Any transformer as a stream of activations with their prefixes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from itda_core.models.sites import Site
from itda_core.models.spec import DEMO_MODELS, ModelSpec, demo_folder

if TYPE_CHECKING:
    from itda_core.models.capture import ActivationBatch, capture, next_token_logits, stream
    from itda_core.models.loading import LanguageModel, load_model
    from itda_core.models.prediction import Predictions, predict, predict_spliced

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

_LAZY = {  # these import torch, so they are fetched when first asked for
    "ActivationBatch": "itda_core.models.capture",
    "capture": "itda_core.models.capture",
    "next_token_logits": "itda_core.models.capture",
    "stream": "itda_core.models.capture",
    "LanguageModel": "itda_core.models.loading",
    "load_model": "itda_core.models.loading",
    "Predictions": "itda_core.models.prediction",
    "predict": "itda_core.models.prediction",
    "predict_spliced": "itda_core.models.prediction",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
