"""What a language model predicts for whole windows, as it is and with activations replaced at a site.

A prediction is counted where a token of text follows a token of text in the same window: from there the activation can
be replaced, and there is something to predict. Special tokens and padding neither predict nor are predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from itda_core.errors import UserError
from itda_core.models.forward import PaddedWindows, check_finite, forward, pad, read
from itda_core.models.hooks import hooked
from itda_core.models.sites import Site

if TYPE_CHECKING:
    from itda_core.models.language_model import LanguageModel
    from itda_core.text import Window


class Predictions(NamedTuple):
    """One forward pass over some windows."""

    activations: dict[Site, torch.Tensor]  # each (n_tokens, width) float32: the tokens of text, window by window
    logits: torch.Tensor  # (n_predictions, n_vocabulary) in the model's dtype
    targets: torch.Tensor  # (n_predictions,) int64: the token that did follow


def predict(model: LanguageModel, windows: Sequence[Window], sites: Sequence[Site] = ()) -> Predictions:
    """The model's predictions for `windows` as one batch, and the activations at `sites` from the same forward pass.

    Raises UserError when the model has no language-modelling head, a window is longer than its context, or an
    activation is not finite.
    """
    _check_head(model)
    padded = pad(model, windows)
    found = read(model, padded, sites, to_the_end=True)
    tokens = [token for window in windows for token in window.tokens()]
    for site, values in found.activations.items():
        check_finite(model, site, tokens, values)
    counted = _counted(padded)
    return Predictions(found.activations, found.output.logits[counted], padded.ids[counted.roll(1, dims=1)])


def predict_spliced(
    model: LanguageModel, windows: Sequence[Window], site: Site, replacement: torch.Tensor
) -> torch.Tensor:
    """Logits as in `predict` when the activations of the tokens of text at `site` are replaced, all at once.

    replacement: (n_tokens, width), one row per token of text, window by window, as `predict` gives them; special
    tokens keep their activations. Returns (n_predictions, n_vocabulary) in the model's dtype. Raises UserError as
    `predict` does, and when the shape does not fit.
    """
    _check_head(model)
    padded = pad(model, windows)

    def visit(_: Site, activation: torch.Tensor) -> torch.Tensor:
        wanted = (int(padded.wanted.sum()), activation.shape[-1])
        if replacement.shape != wanted:
            raise UserError(
                f"Replacements have shape {tuple(replacement.shape)}, but {site.name} of {model.name} has {wanted} "
                "for these windows; give one row per token of text."
            )
        spliced = activation.clone()
        spliced[padded.wanted.to(spliced.device)] = replacement.to(activation)
        return spliced

    with hooked(model, [site], visit, shape=padded.ids.shape):
        return forward(model, padded.ids, padded.mask).logits[_counted(padded)]


def _counted(padded: PaddedWindows) -> torch.Tensor:
    """Where a prediction is counted: (n_windows, longest) bool, never in the last column."""
    counted = torch.zeros_like(padded.wanted)
    counted[:, :-1] = padded.wanted[:, :-1] & padded.wanted[:, 1:]
    return counted


def _check_head(model: LanguageModel) -> None:
    if not model.has_lm_head:
        raise UserError(f"Model {model.name} predicts no next token (it has no head for that); use a decoder.")
