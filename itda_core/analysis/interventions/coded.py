"""Activations as mean + atoms + error, in float64, so that the parts sum to the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from itda_core.analysis.decompose import check_model, defaults
from itda_core.dictionaries.growing.sinks import sinks_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from itda_core.dictionaries import AtomDictionary
    from itda_core.models import LanguageModel


class Coded(NamedTuple):
    """x = mean + sum of coefficients * atoms + error, token by token; float64."""

    x: torch.Tensor  # (n_tokens, d_model)
    mean: torch.Tensor  # (d_model,); zero where the dictionary is not centred
    atoms: torch.Tensor  # (n_tokens, k) int64, strongest first; 0 where a slot is not needed
    coefficients: torch.Tensor  # (n_tokens, k); 0 where a slot is not needed
    error: torch.Tensor  # (n_tokens, d_model): what the dictionary does not explain
    left_out: torch.Tensor  # (n_tokens,) bool: special tokens and attention sinks, which have no atoms


def coded(
    dictionary: AtomDictionary,
    x: torch.Tensor,
    special: Sequence[bool],
    k: int | None = None,
    method: str | None = None,
    *,
    non_negative: bool = False,
) -> Coded:
    """The parts of activations x (n_tokens, d_model); `special` says which tokens are special; for `non_negative` see
    AtomDictionary.encode.

    Special tokens, and attention sinks as the dictionary left them out, get no atoms: all of them is error, but for
    the mean. Raises UserError as AtomDictionary.encode.
    """
    k, method = defaults(dictionary, k, method)
    x = x.to(dictionary.atoms.device)
    left_out = torch.tensor(special, dtype=torch.bool, device=x.device) | sinks_in(x, dictionary.sink_norm)
    code = dictionary.encode(x, k=k, method=method, non_negative=non_negative).merged()
    coefficients = code.coefficients.double().masked_fill(left_out[:, None], 0.0)
    indices = code.indices.masked_fill(coefficients == 0, 0)
    wide = x.double()
    mean = dictionary.mean.to(wide) if dictionary.config.centre else torch.zeros_like(wide[0])
    x_hat = (coefficients[:, :, None] * dictionary.atoms[indices].double()).sum(dim=1)
    return Coded(wide, mean, indices, coefficients, wide - mean - x_hat, left_out)


def check_belongs(model: LanguageModel, dictionary: AtomDictionary) -> None:
    """Raises UserError when the model predicts nothing, or the dictionary was built on other weights."""
    from itda_core.models.prediction import check_head

    check_model(model, dictionary)
    check_head(model)
