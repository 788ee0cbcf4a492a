"""Random dictionaries and activations that are coherent as real ones are, from a seed."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor

from itda_core.bench.pursuit.cases import Case
from itda_core.pursuit import gram_dtype, gram_matrix

COSINE = 0.3  # expected between two atoms: activations of a language model share a mean direction


class Atoms(NamedTuple):
    """What is kept with a dictionary: atoms (n_atoms, d_model) and gram (n_atoms, n_atoms)."""

    atoms: Tensor
    gram: Tensor

    @classmethod
    def of(cls, atoms: Tensor, case: Case) -> Atoms:
        """With the Gram matrix that `case` goes by. Raises MemoryError where it does not fit."""
        gram = gram_matrix(atoms, dtype=gram_dtype_of(case, atoms))
        if gram is None:
            raise MemoryError(f"no room for a Gram matrix of {len(atoms)} atoms")
        return cls(atoms, gram)


def gram_dtype_of(case: Case, atoms: Tensor) -> torch.dtype:
    """Of the Gram matrix that `case` goes by."""
    return gram_dtype(atoms, case.method) if case.gram_dtype == "advised" else getattr(torch, case.gram_dtype)


def coherent_atoms(n_atoms: int, d_model: int, *, seed: int, device: str = "cpu") -> Tensor:
    """Unit-norm float32 rows (n_atoms, d_model), any two of them at a cosine of about COSINE."""
    return functional.normalize(_rows(n_atoms, d_model, seed), dim=1).to(device)


def coherent_activations(n_tokens: int, d_model: int, *, seed: int, device: str = "cpu") -> Tensor:
    """float32 (n_tokens, d_model) with the same mean direction as the atoms, of norms around 1 that differ by token."""
    rows = _rows(n_tokens, d_model, seed)
    norms = torch.randn(n_tokens, 1, generator=torch.Generator().manual_seed(seed + 1)).mul(0.3).exp()
    return (rows * norms).to(device)


def atoms_of(case: Case, device: str) -> Tensor:
    """The dictionary of a case: (n_atoms, d_model)."""
    return coherent_atoms(case.n_atoms, case.d_model, seed=1, device=device)


def inputs_of(case: Case, count: int, device: str) -> list[Tensor]:
    """`count` different sets of activations for a case: (tokens, d_model) each."""
    return [coherent_activations(case.tokens, case.d_model, seed=100 + 2 * i, device=device) for i in range(count)]


def _rows(n_rows: int, d_model: int, seed: int) -> Tensor:
    """A shared direction plus noise: drawn on the CPU, so that every device is given the same numbers."""
    shared = functional.normalize(torch.randn(d_model, generator=torch.Generator().manual_seed(0)), dim=0)
    noise = torch.randn(n_rows, d_model, generator=torch.Generator().manual_seed(seed)) * d_model**-0.5
    return COSINE**0.5 * shared + (1 - COSINE) ** 0.5 * noise
