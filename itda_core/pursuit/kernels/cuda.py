"""The pursuits written for CUDA (Triton); they agree with the plain ones in every choice they make.

Triton's interpreter (TRITON_INTERPRET=1 before this module is imported) runs them on a CPU.
"""

# Triton's annotations describe its compiler's values, not the plain ones that its language takes.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

import torch
import triton
from torch import Tensor

from itda_core.pursuit.code import SparseCode
from itda_core.pursuit.kernels.cuda_choice import COLUMNS, LAUNCH
from itda_core.pursuit.kernels.cuda_matching import matching
from itda_core.pursuit.kernels.cuda_refit import gradient_kernel, orthogonal_kernel, sizes_of
from itda_core.pursuit.kernels.cuda_strongest import strongest
from itda_core.pursuit.precision import DEPENDENT, doubt_of

__all__ = ["gradient", "matching", "orthogonal", "strongest"]


def orthogonal(
    correlations: Tensor, gram: Tensor, energy: Tensor, k: int, stop: Tensor, *, signed: bool = True
) -> tuple[SparseCode, Tensor]:
    """Orthogonal matching pursuit by the Gram matrix, unchecked (Pati, Rezaiifar and Krishnaprasad 1993; batched after
    Rubinstein, Zibulevsky and Elad 2008).

    Arguments and result as in matching; correlations are overwritten. Holds (n_tokens, k, k) float64 beside them: per
    token the inverse of the Cholesky factor of the chosen atoms' Gram matrix. Signed only.
    """
    assert signed, "there is no non-negative orthogonal matching pursuit for CUDA"
    n_tokens, n_atoms = correlations.shape
    device = correlations.device
    indices = torch.zeros(n_tokens, k, dtype=torch.int64, device=device)
    coefficients = torch.zeros(n_tokens, k, dtype=torch.float64, device=device)
    remaining = energy.clone()
    if n_tokens == 0 or k == 0:
        return SparseCode(indices, coefficients.float()), remaining.clamp_(min=0)
    with torch.cuda.device_of(correlations):
        orthogonal_kernel[(n_tokens,)](
            correlations, gram, remaining, doubt_of(energy, torch.float32), stop, indices, coefficients,
            torch.empty(n_tokens, k, k, dtype=torch.float64, device=device),
            torch.empty(n_tokens, k, dtype=torch.float64, device=device),
            torch.empty(n_tokens, triton.cdiv(n_atoms, COLUMNS), device=device),
            n_atoms, gram.stride(0), k, DEPENDENT * torch.finfo(torch.float32).eps, **sizes_of(n_atoms, k), **LAUNCH,
        )  # fmt: skip
    return SparseCode(indices, coefficients.float()), remaining.clamp_(min=0)


def gradient(
    correlations: Tensor, gram: Tensor, energy: Tensor, k: int, stop: Tensor, *, signed: bool = True
) -> tuple[SparseCode, Tensor]:
    """Gradient pursuit by the Gram matrix, unchecked (Blumensath and Davies 2008, "Gradient Pursuits", section III).

    Arguments and result as in matching. signed=False: a step goes no further than to the first coefficient that
    reaches zero, whose atom then leaves its slot unused (and may be taken again in a later one).
    """
    n_tokens, n_atoms = correlations.shape
    device = correlations.device
    indices = torch.full((n_tokens, k), -1, dtype=torch.int64, device=device)  # -1: an unused slot
    coefficients = torch.zeros(n_tokens, k, dtype=torch.float32, device=device)
    remaining = energy.clone()
    if n_tokens == 0 or k == 0:
        return SparseCode(indices, coefficients), remaining.clamp_(min=0)
    with torch.cuda.device_of(correlations):
        gradient_kernel[(n_tokens,)](
            correlations, gram, remaining, doubt_of(energy, torch.float32), stop, indices, coefficients,
            torch.empty(n_tokens, k, dtype=torch.float64, device=device),
            torch.empty(n_tokens, triton.cdiv(n_atoms, COLUMNS), device=device),
            n_atoms, gram.stride(0), k, signed, **sizes_of(n_atoms, k), **LAUNCH,
        )  # fmt: skip
    return SparseCode(indices.clamp_(min=0), coefficients), remaining.clamp_(min=0)
