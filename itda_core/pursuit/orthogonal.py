"""Orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad 1993; batched form after Rubinstein et al. 2008)."""

from __future__ import annotations

import torch
from torch import Tensor

from itda_core.pursuit.chunks import in_chunks
from itda_core.pursuit.code import SparseCode
from itda_core.pursuit.forms import Form, noise_floor, strongest

DEPENDENT = 8  # squared distance to the span of the chosen atoms, in units of rounding, at which an atom adds nothing


def orthogonal_matching_pursuit(
    x: Tensor,
    atoms: Tensor,
    k: int,
    *,
    gram: Tensor | None = None,
    tolerance: float = 0.0,
    memory_bytes: int | None = None,
) -> SparseCode:
    """Encode activations: k times take the atom most correlated with the residual, then refit all chosen atoms.

    The coefficients are the least-squares fit on the chosen atoms, so the residual is orthogonal to each of them, and
    no atom is taken twice. A token stops early when the next atom lies, numerically, in the span of those it has.

    Arguments, shapes and errors as in matching_pursuit; slots are in the order in which atoms were taken.
    """
    return in_chunks(orthogonal, x, atoms, k, gram, tolerance, memory_bytes)


def orthogonal(form: Form, energy: Tensor, k: int, stop: Tensor) -> tuple[SparseCode, Tensor]:
    """The algorithm itself, unchecked; arguments and result as in matching.matching.

    Per token it keeps the inverse W of the Cholesky factor of the chosen atoms' Gram matrix and grows it by one row a
    step: the rows of W are the weights that make the chosen atoms orthonormal, so each new row adds its own multiple to
    the coefficients and the earlier rows stay.
    """
    correlations = form.correlations()
    n_tokens, dtype, device = correlations.shape[0], correlations.dtype, correlations.device
    wide = energy.dtype
    indices = torch.zeros(n_tokens, k, dtype=torch.int64, device=device)
    coefficients = torch.zeros(n_tokens, k, dtype=wide, device=device)
    inverse = torch.zeros(n_tokens, k, k, dtype=wide, device=device)
    fitted = torch.zeros(n_tokens, k, dtype=wide, device=device)  # <x, each orthonormalised atom>
    floor, remaining = noise_floor(energy, dtype), energy.clone()
    active = torch.ones(n_tokens, dtype=torch.bool, device=device)
    dependent = DEPENDENT * torch.finfo(dtype).eps
    for step in range(k):
        if step > 0:
            form.restart(form.image(indices[:, :step], coefficients[:, :step].to(dtype)))
            # A chosen atom's correlation is zero but for rounding.
            correlations = form.correlations().scatter(1, indices[:, :step], 0)
        index, value = strongest(correlations)
        overlaps = form.products(indices[:, :step], index).to(wide)
        weights = torch.bmm(inverse[:, :step, :step], overlaps[:, :, None])[:, :, 0]
        length = form.products(index[:, None], index).to(wide)[:, 0] - weights.square().sum(dim=1)
        active &= (value.abs() > floor) & (remaining > stop) & (length > dependent)
        if not active.any():
            break
        scale = torch.where(active, length.clamp(min=dependent).rsqrt(), 0)
        row = -torch.bmm(weights[:, None, :], inverse[:, :step, :step])[:, 0, :] * scale[:, None]
        inverse[:, step, :step], inverse[:, step, step] = row, scale
        projection = form.first_correlations(index).to(wide) - (weights * fitted[:, :step]).sum(dim=1)
        fitted[:, step] = projection * scale
        coefficients[:, : step + 1] += fitted[:, step, None] * inverse[:, step, : step + 1]
        indices[:, step] = torch.where(active, index, 0)
        remaining -= fitted[:, step].square()
    return SparseCode(indices, coefficients.to(dtype)), remaining.clamp_(min=0)
