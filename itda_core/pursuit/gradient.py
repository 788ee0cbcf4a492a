"""Gradient pursuit (Blumensath and Davies 2008, "Gradient Pursuits", IEEE Trans. Signal Processing 56, section III)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from itda_core.pursuit.chunks import in_chunks
from itda_core.pursuit.code import SparseCode
from itda_core.pursuit.forms import Form
from itda_core.pursuit.precision import doubt_of


def gradient_pursuit(
    x: Tensor,
    atoms: Tensor,
    k: int,
    *,
    gram: Tensor | None = None,
    tolerance: float = 0.0,
    memory_bytes: int | None = None,
    non_negative: bool = False,
) -> SparseCode:
    """Encode activations: k times take the atom most correlated with the residual, then move all chosen coefficients
    along the gradient by the exact step.

    Between matching pursuit and orthogonal matching pursuit in cost and in error. When the strongest atom is one that
    was taken before, the step only improves the coefficients, and the slot of that step stays unused.

    With `non_negative` a step ends where the first coefficient reaches zero; its atom leaves its slot, and may come
    again in a later one.

    Arguments, shapes and errors as in matching_pursuit; slots are in the order in which atoms were taken.
    """
    return in_chunks("gp", x, atoms, k, gram, tolerance, memory_bytes, non_negative)


def gradient(form: Form, energy: Tensor, k: int, stop: Tensor, *, signed: bool = True) -> tuple[SparseCode, Tensor]:
    """The algorithm itself, unchecked; arguments and result as in matching.matching."""
    n_tokens, dtype, device = len(energy), form.dtype, energy.device
    doubt = doubt_of(energy, dtype)
    index, value = form.strongest(doubt, signed)
    indices = torch.zeros(n_tokens, k, dtype=torch.int64, device=device)
    coefficients = torch.zeros(n_tokens, k, dtype=dtype, device=device)
    chosen = torch.zeros(n_tokens, k, dtype=torch.bool, device=device)
    remaining = energy.clone()
    active = torch.ones(n_tokens, dtype=torch.bool, device=device)
    for step in range(k):
        active &= (value.abs() > doubt) & (remaining > stop)
        if not active.any():
            break
        known = ((indices[:, :step] == index[:, None]) & chosen[:, :step]).any(dim=1)
        chosen[:, step] = active & ~known
        indices[:, step] = torch.where(chosen[:, step], index, 0)
        support = indices[:, : step + 1]
        direction = torch.where(chosen[:, : step + 1] & active[:, None], form.correlations_with(support), 0)
        image = form.image(support, direction)
        along = form.image_energy(image, support, direction).to(energy.dtype)
        slope = direction.to(energy.dtype).square().sum(dim=1)
        length = torch.where(active & (along > 0), slope / torch.where(along > 0, along, 1), 0)
        if not signed:
            weights, shrinking = coefficients[:, : step + 1], direction < 0
            until_zero = torch.where(shrinking, weights / -torch.where(shrinking, direction, -1), math.inf)
            length = torch.minimum(length, until_zero.amin(dim=1).to(length.dtype))
            leaving = shrinking & (until_zero <= length[:, None].to(dtype))
            chosen[:, : step + 1] &= ~leaving
            indices[:, : step + 1].masked_fill_(leaving, 0)
        coefficients[:, : step + 1] += length.to(dtype)[:, None] * direction
        coefficients[:, : step + 1].masked_fill_(~chosen[:, : step + 1], 0)
        remaining -= length * (2 * slope - length * along)
        if step + 1 < k:
            form.subtract(image.mul_(length.to(dtype)[:, None]))
            doubt = doubt_of(energy, dtype, coefficients)
            index, value = form.strongest(doubt, signed)
    return SparseCode(indices, coefficients), remaining.clamp_(min=0)
