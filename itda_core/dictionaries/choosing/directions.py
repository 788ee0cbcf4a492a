"""Activations as a selection judges them: by their direction only."""

from __future__ import annotations

import torch
from torch import Tensor

from itda_core.errors import UserError
from itda_core.pursuit.code import power_of_two
from itda_core.pursuit.precision import wide_dtype


def centred(x: Tensor, mean: Tensor | None = None) -> Tensor:
    """Activations x (n_tokens, d_model) less the mean (d_model,), if there is one; float32.

    Raises UserError when an activation has a NaN or an infinite entry.
    """
    x = x.float()
    if mean is not None:
        x = x - mean
    if not torch.isfinite(x).all():
        raise UserError(
            "The model gave an activation with NaN or infinity; run it in float32 (--dtype float32) or read another "
            "site."
        )
    return x


def unit_directions(x: Tensor, mean: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Activations centred and divided by their norm, and the rows of those that have one.

    x: (n_tokens, d_model); mean: (d_model,) subtracted first, None: nothing is.
    Returns (n_tokens, d_model) float32, zero where the norm is, and (n_usable,) int64.
    Raises UserError when an activation has a NaN or an infinite entry.
    """
    x = centred(x, mean)
    wide = (x / power_of_two(x)).to(wide_dtype(x))
    norms = torch.linalg.vector_norm(wide, dim=1, keepdim=True)
    usable = (norms[:, 0] > 0).nonzero()[:, 0]
    return (wide / torch.where(norms > 0, norms, 1)).float(), usable
