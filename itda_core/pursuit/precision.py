"""How exactly correlations are known, and so which of them count as equal: the same in every form and kernel."""

from __future__ import annotations

import torch
from torch import Tensor

FIXED_ONE = 32000  # what 1 is in a Gram matrix of 16-bit whole numbers; unit norms that are a little off must fit
DOUBT = 8  # units of rounding; see `doubt_of`
DEPENDENT = 8  # squared distance to the span of the chosen atoms, in units of rounding, at which an atom adds nothing


def doubt_of(energy: Tensor, dtype: torch.dtype, weights: Tensor | None = None) -> Tensor:
    """How far a correlation with the residual, computed in `dtype`, may be from the true one: (n_tokens,).

    energy: |x|^2 (n_tokens,); weights: (n_tokens, n_slots) of the atoms subtracted so far; one taken twice counts
    twice. A running error bound (Higham 2002, "Accuracy and Stability of Numerical Algorithms", section 3.3): <x, atom>
    is off by some units of rounding of |x|, and each subtraction of weight x <atom, atom> adds as many of |weight|,
    since atoms are unit norm. So it does not shrink with the residual. DOUBT is four times the most that was seen
    between identical atoms, over widths from 8 to 4,096, matching pursuit and orthogonal matching pursuit, and the
    kernels of several processors.

    Correlations within it of each other count as equal, and a chosen one that does not exceed it as nothing.
    """
    size = energy.sqrt() if weights is None else energy.sqrt() + weights.to(energy.dtype).abs().sum(dim=1)
    return (DOUBT * torch.finfo(dtype).eps * size).to(dtype)


def wide_dtype(x: Tensor) -> torch.dtype:
    """float64 where the device has it (Apple's GPUs do not)."""
    return x.dtype if x.device.type == "mps" else torch.float64
