"""What a pursuit returns, and how good it is."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor

from itda_core.pursuit.given import as_tensor


class SparseCode(NamedTuple):
    """Each token as k pairs (atom, signed coefficient), in the order in which the pursuit took them.

    indices: (n_tokens, k) int64, rows of the dictionary. Matching pursuit may take an atom again, in a slot of its own.
    coefficients: (n_tokens, k), the dtype of the encoded activations.
    A slot that was not needed has index 0 and coefficient 0.
    """

    indices: Tensor
    coefficients: Tensor

    def merged(self) -> SparseCode:
        """The same code with every atom once per token, strongest |coefficient| first; shape (n_tokens, k) as before.

        Atoms whose coefficients cancel out become unused slots. Equal strengths: the lower atom first.
        """
        if self.indices.shape[1] == 0:
            return self
        values = self.coefficients.to(working_dtype(self.coefficients.dtype))
        unused = int(self.indices.max()) + 1 if self.indices.numel() else 0  # sorts after every atom
        atoms, order = torch.sort(torch.where(values == 0, unused, self.indices), dim=1, stable=True)
        new = torch.ones_like(atoms)
        new[:, 1:] = (atoms[:, 1:] != atoms[:, :-1]).to(atoms.dtype)
        group = new.cumsum(dim=1) - 1
        sums = torch.zeros_like(values).scatter_add_(1, group, values.gather(1, order))
        firsts = torch.zeros_like(atoms).scatter_(1, group, atoms)
        strength = torch.sort(sums.abs(), dim=1, descending=True, stable=True).indices
        sums, firsts = sums.gather(1, strength), firsts.gather(1, strength)
        return SparseCode(torch.where(sums == 0, 0, firsts), sums.to(self.coefficients.dtype))


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which arithmetic on `dtype` is done: half precisions are computed in float32."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def reconstruct(code: SparseCode, atoms: Tensor) -> Tensor:
    """The activations a code stands for.

    code: n_tokens codes of k slots; atoms: (n_atoms, d_model).
    Returns (n_tokens, d_model) in the dtype of the coefficients. Never forms an (n_tokens, k, d_model) tensor.
    """
    code = SparseCode(as_tensor(code[0], "Indices"), as_tensor(code[1], "Coefficients"))
    atoms = as_tensor(atoms, "Atoms")
    dtype = working_dtype(code.coefficients.dtype)
    return weighted_rows(code.indices, atoms.to(dtype), code.coefficients.to(dtype)).to(code.coefficients.dtype)


def weighted_rows(indices: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Per token t the sum over s of weights[t, s] * rows[indices[t, s]]: (n_tokens, n_slots) -> (n_tokens, width)."""
    if indices.numel() == 0:
        return rows.new_zeros(indices.shape[0], rows.shape[1])
    return functional.embedding_bag(indices, rows, per_sample_weights=weights, mode="sum")


def relative_error(x: Tensor, x_hat: Tensor) -> Tensor:
    """Relative squared error |x - x_hat|^2 / |x|^2 of each token.

    x, x_hat: (n_tokens, d_model). Returns (n_tokens,), float32 for half-precision input. From 0 to 1 (up to rounding)
    when x_hat came from a pursuit of x, more when x_hat is worse than nothing; 0, by definition, where x is zero.
    """
    x, x_hat = as_tensor(x, "Activations"), as_tensor(x_hat, "Reconstructions")
    dtype = working_dtype(torch.promote_types(x.dtype, x_hat.dtype))
    scale = power_of_two(x.to(dtype))
    x, x_hat = x.to(dtype) / scale, x_hat.to(dtype) / scale
    energy = x.square().sum(dim=1)
    error = (x - x_hat).square().sum(dim=1) / torch.where(energy == 0, 1, energy)
    return torch.where(energy == 0, 0, error)


def power_of_two(x: Tensor) -> Tensor:
    """Per token a power of two near its largest |entry| (1 for a zero token): (n_tokens, d_model) -> (n_tokens, 1).

    Dividing by it is exact and keeps squares inside the range of the dtype, however large or small activations are.
    """
    if x.shape[1] == 0:
        return x.new_ones(x.shape[0], 1)
    largest = x.abs().amax(dim=1, keepdim=True)
    mantissa = torch.frexp(largest).mantissa
    return torch.where(largest == 0, 1, largest / torch.where(largest == 0, 1, 2 * mantissa))
