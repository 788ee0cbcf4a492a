"""Orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad 1993; batched form after Rubinstein et al. 2008)."""

from __future__ import annotations

import torch
from torch import Tensor

from itda_core.pursuit.chunks import in_chunks
from itda_core.pursuit.code import SparseCode
from itda_core.pursuit.forms import Form
from itda_core.pursuit.precision import DEPENDENT, doubt_of


def orthogonal_matching_pursuit(
    x: Tensor,
    atoms: Tensor,
    k: int,
    *,
    gram: Tensor | None = None,
    tolerance: float = 0.0,
    memory_bytes: int | None = None,
    non_negative: bool = False,
) -> SparseCode:
    """Encode activations: k times take the atom most correlated with the residual, then refit all chosen atoms.

    The coefficients are the least-squares fit on the chosen atoms, so the residual is orthogonal to each of them, and
    no atom is taken twice. A token stops early when the next atom lies, numerically, in the span of those it has.

    With `non_negative` the fit is the best one with coefficients of at least zero (non-negative least squares, Lawson
    and Hanson 1974, chapter 23): an atom whose coefficient falls to zero leaves its slot, and may come again.

    Arguments, shapes and errors as in matching_pursuit; slots are in the order in which atoms were taken.
    """
    return in_chunks("omp", x, atoms, k, gram, tolerance, memory_bytes, non_negative)


def orthogonal(form: Form, energy: Tensor, k: int, stop: Tensor, *, signed: bool = True) -> tuple[SparseCode, Tensor]:
    """The algorithm itself, unchecked; arguments and result as in matching.matching. Non-negative codes have their own.

    Per token it keeps the inverse W of the Cholesky factor of the chosen atoms' Gram matrix and grows it by one row a
    step: the rows of W are the weights that make the chosen atoms orthonormal, so each new row adds its own multiple to
    the coefficients and the earlier rows stay.
    """
    if not signed:
        return non_negative_orthogonal(form, energy, k, stop)
    n_tokens, dtype, device = len(energy), form.dtype, energy.device
    doubt = doubt_of(energy, dtype)
    index, value = form.strongest(doubt, signed)
    wide = energy.dtype
    indices = torch.zeros(n_tokens, k, dtype=torch.int64, device=device)
    coefficients = torch.zeros(n_tokens, k, dtype=wide, device=device)
    inverse = torch.zeros(n_tokens, k, k, dtype=wide, device=device)
    fitted = torch.zeros(n_tokens, k, dtype=wide, device=device)  # <x, each orthonormalised atom>
    remaining = energy.clone()
    active = torch.ones(n_tokens, dtype=torch.bool, device=device)
    dependent = DEPENDENT * torch.finfo(dtype).eps
    for step in range(k):
        if step > 0:
            form.restart(form.image(indices[:, :step], coefficients[:, :step].to(dtype)))
            doubt = doubt_of(energy, dtype, coefficients)
            index, value = form.strongest(doubt, signed, chosen=indices[:, :step])
        overlaps = form.products(indices[:, :step], index).to(wide)
        weights = torch.bmm(inverse[:, :step, :step], overlaps[:, :, None])[:, :, 0]
        length = form.products(index[:, None], index).to(wide)[:, 0] - weights.square().sum(dim=1)
        active &= (value.abs() > doubt) & (remaining > stop) & (length > dependent)
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


def non_negative_orthogonal(
    form: Form, energy: Tensor, k: int, stop: Tensor, *, signed: bool = False
) -> tuple[SparseCode, Tensor]:
    """The algorithm with coefficients of at least zero, unchecked; arguments and result as in matching.matching."""
    assert not signed, "orthogonal is another algorithm"
    n_tokens, dtype, device = len(energy), form.dtype, energy.device
    doubt = doubt_of(energy, dtype)
    index, value = form.strongest(doubt, signed)
    wide = energy.dtype
    indices = torch.zeros(n_tokens, k, dtype=torch.int64, device=device)
    coefficients = torch.zeros(n_tokens, k, dtype=wide, device=device)
    small = torch.zeros(n_tokens, k, k, dtype=wide, device=device)  # the chosen atoms' Gram matrix
    right = torch.zeros(n_tokens, k, dtype=wide, device=device)  # <x, chosen atom>
    alive = torch.zeros(n_tokens, k, dtype=torch.bool, device=device)
    remaining = energy.clone()
    active = torch.ones(n_tokens, dtype=torch.bool, device=device)
    dependent = DEPENDENT * torch.finfo(dtype).eps
    for step in range(k):
        if step > 0:
            form.restart(form.image(indices[:, :step], coefficients[:, :step].to(dtype)))
            doubt = doubt_of(energy, dtype, coefficients)
            index, value = form.strongest(doubt, signed)
        active &= (value > doubt) & (remaining > stop)
        if not active.any():
            break
        indices[:, step] = torch.where(active, index, 0)
        products = form.products(indices[:, : step + 1], indices[:, step]).to(wide)
        small[:, step, : step + 1] = small[:, : step + 1, step] = products
        right[:, step] = form.first_correlations(indices[:, step]).to(wide)
        candidates = alive[:, : step + 1].clone()
        candidates[:, step] = active
        fitted, left, regular = _non_negative_fit(
            small[:, : step + 1, : step + 1], right[:, : step + 1], coefficients[:, : step + 1], candidates, dependent
        )
        active &= regular & left[:, step]
        coefficients[:, : step + 1] = torch.where(active[:, None], fitted, coefficients[:, : step + 1])
        alive[:, : step + 1] = torch.where(active[:, None], left, alive[:, : step + 1])
        indices[:, : step + 1].masked_fill_(~alive[:, : step + 1], 0)
        remaining = torch.where(active, energy - (coefficients * right).sum(dim=1), remaining)
    return SparseCode(indices, coefficients.to(dtype)), remaining.clamp_(min=0)


def _non_negative_fit(
    small: Tensor, right: Tensor, weights: Tensor, candidates: Tensor, dependent: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The inner loop of Lawson and Hanson's non-negative least squares, for all tokens side by side.

    small: (n_tokens, s, s) Gram matrices; right: (n_tokens, s); weights: (n_tokens, s), the fit so far, zero for a new
    atom; candidates: (n_tokens, s) which atoms may have a weight. Returns the fit, which atoms kept a weight, and
    (n_tokens,) whether their Gram matrix was regular.
    """
    weights, candidates = torch.where(candidates, weights, 0), candidates.clone()
    regular = torch.ones(len(small), dtype=torch.bool, device=small.device)
    identity = torch.eye(small.shape[1], dtype=small.dtype, device=small.device)
    while True:
        both = candidates[:, :, None] & candidates[:, None, :]
        factor, failed = torch.linalg.cholesky_ex(torch.where(both, small, identity))
        pivots = factor.diagonal(dim1=1, dim2=2).square()
        regular &= (failed == 0) & (pivots > dependent).all(dim=1)
        solution = torch.cholesky_solve(torch.where(candidates, right, 0)[:, :, None], factor)[:, :, 0]
        falling = candidates & (solution <= 0) & regular[:, None]
        if not falling.any():
            return torch.where(candidates, solution, 0), candidates, regular
        reach = torch.where(falling & (weights > solution), weights / torch.where(falling, weights - solution, 1), 1)
        reach = torch.where(falling & (weights <= solution), 0, reach)
        share = reach.amin(dim=1, keepdim=True)
        busy = falling.any(dim=1, keepdim=True)
        leaving = falling & (reach <= share)
        weights = torch.where(busy, weights + share * (solution - weights), weights).masked_fill(leaving, 0)
        candidates = candidates & ~leaving
