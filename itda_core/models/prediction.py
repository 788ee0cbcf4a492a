"""What a language model predicts for whole windows, as it is and with activations replaced at a site.

A prediction is counted where a token of text follows a token of text in the same window: from there the activation can
be replaced, and there is something to predict. Special tokens and padding neither predict nor are predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch

from itda_core.errors import UserError
from itda_core.models.forward.batching import in_order, taken
from itda_core.models.forward.forward_pass import PaddedWindows, check_finite, forward, pad
from itda_core.models.forward.hooks import hooked
from itda_core.models.forward.passes import passes
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
    """The model's predictions for `windows`, and the activations at `sites` from the same forward passes: one, where
    the model reads a batch as it reads each window alone.

    Raises UserError when the model has no language-modelling head, a window is longer than its context, or an
    activation is not finite.
    """
    check_head(model)
    took = passes(model, windows, sites, to_the_end=True)
    activations = took.activations()
    tokens = [token for window in windows for token in window.tokens()]
    for site, values in activations.items():
        check_finite(model, site, tokens, values)
    counted = [_counted(padded) for padded in took.padded]
    logits = [found.output.logits[where] for found, where in zip(took.found, counted, strict=True)]
    targets = [padded.ids[where.roll(1, dims=1)] for padded, where in zip(took.padded, counted, strict=True)]
    counts = [_predictions(window) for window in windows]
    return Predictions(activations, in_order(took.groups, logits, counts), in_order(took.groups, targets, counts))


def predict_spliced(
    model: LanguageModel, windows: Sequence[Window], site: Site, replacement: torch.Tensor
) -> torch.Tensor:
    """Logits as in `predict` when the activations of the tokens of text at `site` are replaced, all at once.

    replacement: (n_tokens, width), one row per token of text, window by window, as `predict` gives them; special
    tokens keep their activations. Returns (n_predictions, n_vocabulary) in the model's dtype. Raises UserError as
    `predict` does, and when the shape does not fit.
    """
    check_head(model)
    counts = [len(window) - sum(window.special) for window in windows]
    if len(replacement) != sum(counts):
        raise UserError(
            f"Replacements have shape {tuple(replacement.shape)}, but {site.name} of {model.name} has {sum(counts)} "
            "tokens of text in these windows; give one row per token of text."
        )
    groups = model.groups(windows)
    rows = taken(groups, replacement, counts)
    logits = [
        _spliced(model, [windows[place] for place in group], site, part)
        for group, part in zip(groups, rows, strict=True)
    ]
    return in_order(groups, logits, [_predictions(window) for window in windows])


def _spliced(model: LanguageModel, windows: Sequence[Window], site: Site, replacement: torch.Tensor) -> torch.Tensor:
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


def _predictions(window: Window) -> int:
    """How many predictions are counted in a window."""
    return sum(not a and not b for a, b in pairwise(window.special))


def check_head(model: LanguageModel) -> None:
    """Raises UserError when the model has no language-modelling head."""
    if not model.has_lm_head:
        raise UserError(f"Model {model.name} predicts no next token (it has no head for that); use a decoder.")
