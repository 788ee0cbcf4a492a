"""What a model predicts for one window when single activations of it are shifted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from itda_core.errors import UserError
from itda_core.models.forward.batching import Batching
from itda_core.models.forward.forward_pass import check_window_ids, forward
from itda_core.models.forward.hooks import hooked
from itda_core.models.prediction import check_head
from itda_core.models.sites import Site

if TYPE_CHECKING:
    from itda_core.models.language_model import LanguageModel
    from itda_core.text import Window

Shift = Mapping[int, torch.Tensor]  # position in the window -> what is added to its activation, (width,)

_MOST_LOGITS = 2**25  # entries of one forward pass: 128 MiB in float32
_MOST_AT_ONCE = 32  # rows of one forward pass


def shifted_logits(
    model: LanguageModel, window: Window, site: Site, shifts: Sequence[Shift], positions: Sequence[int]
) -> torch.Tensor:
    """Logits (n_shifts, n_positions, n_vocabulary) float32 at `positions` when each of `shifts` in turn is added to the
    activations at `site`; what is not shifted stays as the model computes it, and an empty shift is the model itself.

    Raises UserError when the model has no language-modelling head, a position is not in the window, or a width does
    not fit.
    """
    check_head(model)
    for position in (*positions, *(position for shift in shifts for position in shift)):
        if not 0 <= position < len(window):
            raise UserError(f"Position {position} is not in the window; it has positions 0 to {len(window) - 1}.")
    check_window_ids(model, [window])
    ids = torch.tensor([window.token_ids], device=model.device)
    vocabulary = model.module.config.get_text_config().vocab_size
    at_once = max(1, min(_MOST_AT_ONCE, _MOST_LOGITS // (len(window) * vocabulary), len(shifts)))
    if model.batching in (Batching.ALONE, Batching.UNSTEADY):
        at_once = 1
    parts = [
        _shifted(model, ids, site, shifts[i : i + at_once], list(positions)) for i in range(0, len(shifts), at_once)
    ]
    return torch.cat(parts) if parts else torch.empty(0, len(positions), vocabulary)


def _shifted(
    model: LanguageModel, ids: torch.Tensor, site: Site, shifts: Sequence[Shift], positions: list[int]
) -> torch.Tensor:
    def visit(_: Site, activation: torch.Tensor) -> torch.Tensor:
        shifted = activation.clone()
        for row, shift in enumerate(shifts):
            for position, vector in shift.items():
                if vector.shape != activation.shape[-1:]:
                    raise UserError(
                        f"Shifts have shape {tuple(vector.shape)}, but {site.name} of {model.name} has width "
                        f"{activation.shape[-1]}."
                    )
                shifted[row, position] = (activation[row, position].float() + vector.to(activation.device)).to(
                    activation.dtype
                )
        return shifted

    ids = ids.expand(len(shifts), -1)
    with hooked(model, [site], visit, shape=ids.shape):
        return forward(model, ids, torch.ones_like(ids)).logits[:, positions].float()
