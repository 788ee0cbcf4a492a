"""Where a pursuit in float32 has no choice: what may be compared between processors, kernels and forms."""

from __future__ import annotations

import torch
from torch import Tensor

from itda_core.pursuit import PURSUITS, reconstruct
from itda_core.pursuit.forms import strength_of
from itda_core.pursuit.precision import DOUBT

EXACTLY = 1e-12  # of |x|: atoms whose correlations in float64 are nearer than this are equal


def clear(method: str, x: Tensor, atoms: Tensor, k: int, *, non_negative: bool = False) -> Tensor:
    """Which tokens' pursuits of k steps in float32 choose the same atoms however products are computed: (n_tokens,).

    At the edge of what counts as equal (forms.doubt_of) two ways to compute a correlation may fall on different sides.
    A token is clear when, in a pursuit in float64, no atom ever comes that near to the strongest one, except exactly,
    and no strongest one to nothing.
    """
    x, atoms = x.double(), atoms.double()
    size, unclear = x.norm(dim=1), torch.zeros(len(x), dtype=torch.bool)
    residual, going = x, torch.ones(len(x), dtype=torch.bool)
    for step in range(k):
        doubt = DOUBT * torch.finfo(torch.float32).eps * size
        strength = strength_of(residual @ atoms.T, not non_negative)
        largest = strength.amax(dim=1)
        behind = largest[:, None] - strength
        near = (behind > EXACTLY * x.norm(dim=1, keepdim=True)) & (behind <= 1.5 * doubt[:, None])
        ends = largest <= 0.5 * doubt
        unclear |= going & (near.any(dim=1) | (largest <= 1.5 * doubt)) & ~ends
        going &= ~ends
        if step + 1 < k:
            code = PURSUITS[method](x, atoms, step + 1, non_negative=non_negative)
            residual = x - reconstruct(code, atoms)
            size = x.norm(dim=1) + code.coefficients.abs().sum(dim=1)
    return ~unclear
