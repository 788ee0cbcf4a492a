"""Gradient pursuit (Blumensath and Davies 2008, "Gradient Pursuits", IEEE Trans. Signal Processing 56, section III)."""

from __future__ import annotations

import torch
from torch import Tensor

from itda_core.pursuit.chunks import in_chunks
from itda_core.pursuit.code import SparseCode
from itda_core.pursuit.forms import Form, noise_floor, strongest


def gradient_pursuit(
    x: Tensor,
    atoms: Tensor,
    k: int,
    *,
    gram: Tensor | None = None,
    tolerance: float = 0.0,
    memory_bytes: int | None = None,
) -> SparseCode:
    """Encode activations: k times take the atom most correlated with the residual, then move all chosen coefficients
    along the gradient by the exact step.

    Between matching pursuit and orthogonal matching pursuit in cost and in error. When the strongest atom is one that
    was taken before, the step only improves the coefficients, and the slot of that step stays unused.

    Arguments, shapes and errors as in matching_pursuit; slots are in the order in which atoms were taken.
    """
    return in_chunks(gradient, x, atoms, k, gram, tolerance, memory_bytes)


def gradient(form: Form, energy: Tensor, k: int, stop: Tensor) -> tuple[SparseCode, Tensor]:
    """The algorithm itself, unchecked; arguments and result as in matching.matching."""
    correlations = form.correlations()
    n_tokens, dtype, device = correlations.shape[0], correlations.dtype, correlations.device
    indices = torch.zeros(n_tokens, k, dtype=torch.int64, device=device)
    coefficients = torch.zeros(n_tokens, k, dtype=dtype, device=device)
    chosen = torch.zeros(n_tokens, k, dtype=torch.bool, device=device)
    floor, remaining = noise_floor(energy, dtype), energy.clone()
    active = torch.ones(n_tokens, dtype=torch.bool, device=device)
    for step in range(k):
        index, value = strongest(correlations)
        active &= (value.abs() > floor) & (remaining > stop)
        if not active.any():
            break
        known = ((indices[:, :step] == index[:, None]) & chosen[:, :step]).any(dim=1)
        chosen[:, step] = active & ~known
        indices[:, step] = torch.where(chosen[:, step], index, 0)
        support = indices[:, : step + 1]
        direction = torch.where(chosen[:, : step + 1] & active[:, None], correlations.gather(1, support), 0)
        image = form.image(support, direction)
        along = form.image_energy(image, support, direction).to(energy.dtype)
        slope = direction.to(energy.dtype).square().sum(dim=1)
        length = torch.where(active & (along > 0), slope / torch.where(along > 0, along, 1), 0)
        coefficients[:, : step + 1] += length.to(dtype)[:, None] * direction
        remaining -= length * slope
        if step + 1 < k:
            form.subtract(image.mul_(length.to(dtype)[:, None]))
            correlations = form.correlations()
    return SparseCode(indices, coefficients), remaining.clamp_(min=0)
