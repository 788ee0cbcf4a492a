"""A model in four figures, from its folder alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from itda_core.errors import UserError
from itda_core.files import read_json
from itda_core.models.folder.context import stated_limits
from itda_core.models.folder.model_folder import is_local, model_folder, weight_files
from itda_core.models.folder.stored_tensors import stored_tensors
from itda_core.models.spec import ModelSpec


@dataclass(frozen=True)
class ModelFigures:
    """What a model's folder says without loading it."""

    n_layers: int
    d_model: int
    parameters: int
    stored_bytes: int
    context: int | None = None  # tokens that it reads at once, at most; None where nothing states it


def model_figures(spec: ModelSpec) -> ModelFigures | None:
    """Read from config.json and the headers of the weights; None when the model is not on this machine.

    Raises UserError when its folder is not a model's, or is damaged.
    """
    try:
        folder = model_folder(replace(spec, offline=True)).path
    except UserError:
        if is_local(spec.name):
            raise
        return None
    config = read_json(folder / "config.json")
    if not isinstance(config, dict):
        raise UserError(f"{folder / 'config.json'} is damaged (no table); fetch it again.")
    inner = config.get("text_config")
    text: dict[str, Any] = inner if isinstance(inner, dict) else config
    n_layers = _first(text, ("num_hidden_layers", "n_layer", "n_layers", "num_layers"))
    d_model = _first(text, ("hidden_size", "n_embd", "d_model", "dim"))
    if n_layers is None or d_model is None:
        raise UserError(f"{folder / 'config.json'} names no number of layers or no width; choose another model.")
    files = weight_files(folder)
    parameters = sum(math.prod(one.shape) for one in stored_tensors(files).values())
    context = min(stated_limits(text.get, _of_tokenizer(folder)), default=None)
    return ModelFigures(n_layers, d_model, parameters, sum(file.stat().st_size for file in files), context)


def _of_tokenizer(folder: Path) -> object:
    """The limit that the tokenizer's files state; None where they are not there, or damaged."""
    with suppress(UserError):
        stated = read_json(folder / "tokenizer_config.json")
        return stated.get("model_max_length") if isinstance(stated, dict) else None
    return None


def _first(config: dict[str, Any], names: Iterable[str]) -> int | None:
    values = (config.get(name) for name in names)
    return next((value for value in values if isinstance(value, int) and value > 0), None)
