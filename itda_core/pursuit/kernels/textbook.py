"""Matching pursuit as it is usually written: what the bench compares the compiled pursuits with. Nothing encodes by it.

Each step correlates all residuals with all atoms anew by one matrix product, and the code is dense.
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def matching_pursuit(x: Tensor, atoms: Tensor, k: int) -> Tensor:
    """Signed matching pursuit (Mallat and Zhang 1993, section III), k steps for every token, unchecked.

    x: (n_tokens, d_model); atoms: (n_atoms, d_model), unit norm, same dtype and device. Returns the dense code
    (n_tokens, n_atoms); an atom taken twice has the sum of both coefficients. Holds three such tensors.
    """
    residual = x.clone()
    coefficients = x.new_zeros(len(x), len(atoms))
    correlations, strength = torch.empty_like(coefficients), torch.empty_like(coefficients)
    for _ in range(k):
        torch.mm(residual, atoms.T, out=correlations)
        index = torch.abs(correlations, out=strength).argmax(dim=1, keepdim=True)
        value = correlations.gather(1, index)
        coefficients.scatter_add_(1, index, value)
        residual.sub_(value * atoms[index[:, 0]])
    return coefficients
