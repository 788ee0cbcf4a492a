"""The two ways to know every atom's correlation with the residual: by the Gram matrix, or by the residual itself."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from itda_core.pursuit.code import weighted_rows

NOISE = 8  # correlations within this many units of rounding of |x| are rounding
TIE = 4  # correlations within this many units of rounding of each other are equal: the lower index is taken


class Form(Protocol):
    """The residuals of some tokens, seen through their correlations with all atoms."""

    def correlations(self) -> Tensor:
        """<residual, atom>: (n_tokens, n_atoms). The caller must not write to it."""
        ...

    def first_correlations(self, index: Tensor) -> Tensor:
        """<x, atom[index]> of the untouched activations: index (n_tokens,) -> (n_tokens,)."""
        ...

    def products(self, indices: Tensor, index: Tensor) -> Tensor:
        """<atom[indices[t, s]], atom[index[t]]>: (n_tokens, n_slots) and (n_tokens,) -> (n_tokens, n_slots)."""
        ...

    def image(self, indices: Tensor, weights: Tensor) -> Tensor:
        """The weighted sum of atoms of each token, as `subtract` and `restart` want it."""
        ...

    def image_energy(self, image: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
        """|weighted sum of atoms|^2: (n_tokens,)."""
        ...

    def subtract(self, image: Tensor) -> None:
        """residual -= image."""
        ...

    def restart(self, image: Tensor) -> None:
        """residual = x - image."""
        ...


class GramForm:
    """Correlations are computed once and corrected by rows of the Gram matrix: no (n_tokens, d_model) tensor."""

    def __init__(self, correlations: Tensor, gram: Tensor) -> None:
        """correlations: <x, atom> (n_tokens, n_atoms), not written to; gram: atoms @ atoms.T (n_atoms, n_atoms)."""
        self._first, self._now, self._gram = correlations, correlations.clone(), gram

    def correlations(self) -> Tensor:
        return self._now

    def first_correlations(self, index: Tensor) -> Tensor:
        return self._first.gather(1, index[:, None])[:, 0]

    def products(self, indices: Tensor, index: Tensor) -> Tensor:
        return self._gram[indices, index[:, None]]

    def image(self, indices: Tensor, weights: Tensor) -> Tensor:
        return weighted_rows(indices, self._gram, weights)

    def image_energy(self, image: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
        return (image.gather(1, indices) * weights).sum(dim=1)

    def subtract(self, image: Tensor) -> None:
        self._now.sub_(image)

    def restart(self, image: Tensor) -> None:
        torch.sub(self._first, image, out=self._now)


class ResidualForm:
    """The residual is kept and correlated with all atoms anew at each step: no (n_atoms, n_atoms) matrix is needed."""

    def __init__(self, x: Tensor, atoms: Tensor) -> None:
        """x: (n_tokens, d_model), not written to; atoms: (n_atoms, d_model) unit norm."""
        self._x, self._residual, self._atoms = x, x.clone(), atoms

    def correlations(self) -> Tensor:
        return self._residual @ self._atoms.T

    def first_correlations(self, index: Tensor) -> Tensor:
        return (self._x * self._atoms[index]).sum(dim=1)

    def products(self, indices: Tensor, index: Tensor) -> Tensor:
        return torch.bmm(self._atoms[indices], self._atoms[index][:, :, None])[:, :, 0]

    def image(self, indices: Tensor, weights: Tensor) -> Tensor:
        return weighted_rows(indices, self._atoms, weights)

    def image_energy(self, image: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
        return image.square().sum(dim=1)

    def subtract(self, image: Tensor) -> None:
        self._residual.sub_(image)

    def restart(self, image: Tensor) -> None:
        torch.sub(self._x, image, out=self._residual)


def strongest(correlations: Tensor) -> tuple[Tensor, Tensor]:
    """Per token the atom with the largest |correlation|, and that correlation, signed: (n_tokens,) each.

    Equal up to rounding: the lower index. A matrix product may give two identical atoms correlations that differ in the
    last bit, and argmax promises nothing for ties, so neither decides here.
    """
    n_atoms = correlations.shape[1]
    strength = correlations.abs()
    enough = strength.amax(dim=1, keepdim=True) * (1 - TIE * torch.finfo(strength.dtype).eps)
    places = torch.arange(n_atoms, dtype=torch.int32, device=strength.device)
    index = torch.where(strength >= enough, places, n_atoms).amin(dim=1).long()
    return index, correlations.gather(1, index[:, None])[:, 0]


def noise_floor(energy: Tensor, dtype: torch.dtype) -> Tensor:
    """The |correlation| below which a step would fit rounding: energy |x|^2 (n_tokens,) -> (n_tokens,) in `dtype`."""
    return (NOISE * torch.finfo(dtype).eps * energy.sqrt()).to(dtype)


def wide_dtype(x: Tensor) -> torch.dtype:
    """float64 where the device has it (Apple's GPUs do not)."""
    return x.dtype if x.device.type == "mps" else torch.float64
