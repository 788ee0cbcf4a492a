"""The two ways to know every atom's correlation with the residual: by the Gram matrix, or by the residual itself."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from itda_core.pursuit import kernels
from itda_core.pursuit.code import weighted_rows

ATOMS_AT_ONCE = 4096  # in the residual form: their correlations with a chunk of tokens stay in the cache
FIXED_ONE = 32000  # what 1 is in a Gram matrix of 16-bit whole numbers; unit norms that are a little off must fit
NOISE = 8  # correlations within this many units of rounding of |x| are rounding
DEPENDENT = 8  # squared distance to the span of the chosen atoms, in units of rounding, at which an atom adds nothing
TIE = 4  # correlations within this many units of rounding of each other are equal: the lower index is taken


class Form(Protocol):
    """The residuals of some tokens, seen through their correlations with all atoms."""

    def strongest(self, signed: bool, chosen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Per token the atom of the largest |<residual, atom>|, or of the largest where not `signed`, and that
        correlation: (n_tokens,) each. chosen: (n_tokens, n_slots) atoms known to be orthogonal to the residual.
        """
        ...

    def correlations_with(self, indices: Tensor) -> Tensor:
        """<residual, atom[indices[t, s]]>: (n_tokens, n_slots) -> (n_tokens, n_slots)."""
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
        self._first, self._now, self._gram = correlations, correlations.clone(), gram.to(correlations.dtype)

    def strongest(self, signed: bool, chosen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return strongest(self._now if chosen is None else self._now.scatter(1, chosen, 0), signed)

    def correlations_with(self, indices: Tensor) -> Tensor:
        return self._now.gather(1, indices)

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
    """The residual is kept and correlated with the atoms anew at each step, ATOMS_AT_ONCE atoms at a time and only the
    strongest remembered: neither an (n_atoms, n_atoms) matrix nor an (n_tokens, n_atoms) one is needed.
    """

    def __init__(self, x: Tensor, atoms: Tensor) -> None:
        """x: (n_tokens, d_model), not written to; atoms: (n_atoms, d_model) unit norm."""
        self._x, self._residual, self._atoms = x, x.clone(), atoms

    def strongest(self, signed: bool, chosen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        fused = kernels.fused_strongest(self._residual)
        if fused is not None and chosen is None:
            return fused(self._residual, self._atoms, signed=signed)
        n_tokens, width = len(self._residual), min(ATOMS_AT_ONCE, len(self._atoms))
        starts = range(0, len(self._atoms), width)
        indices = torch.empty(len(starts), n_tokens, dtype=torch.int64, device=self._x.device)
        values = self._x.new_empty(len(starts), n_tokens)
        room = self._x.new_empty(n_tokens * width)
        select = kernels.strongest(self._x) or strongest
        for block, start in enumerate(starts):
            atoms = self._atoms[start : start + width]
            correlations = torch.mm(self._residual, atoms.T, out=room[: n_tokens * len(atoms)].view(n_tokens, -1))
            if chosen is not None:
                inside = (chosen >= start) & (chosen < start + width)
                rows, slots = inside.nonzero(as_tuple=True)
                correlations[rows, chosen[rows, slots] - start] = 0
            found, values[block] = select(correlations, signed=signed)
            indices[block] = found + start
        block, value = strongest(values.T.contiguous(), signed)
        return indices.gather(0, block[None])[0], value

    def correlations_with(self, indices: Tensor) -> Tensor:
        return torch.bmm(self._atoms[indices], self._residual[:, :, None])[:, :, 0]

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


def strongest(correlations: Tensor, signed: bool = True) -> tuple[Tensor, Tensor]:
    """Per token the atom with the largest |correlation| (with the largest, where not `signed`), and that correlation,
    signed: (n_tokens,) each. Where not `signed` and none is above zero: atom 0 and zero.

    Equal up to rounding: the lower index. A matrix product may give two identical atoms correlations that differ in the
    last bit, and argmax promises nothing for ties, so neither decides here.
    """
    n_atoms = correlations.shape[1]
    strength = correlations.abs() if signed else correlations.clamp(min=0)
    enough = strength.amax(dim=1, keepdim=True) * (1 - TIE * torch.finfo(strength.dtype).eps)
    places = torch.arange(n_atoms, dtype=torch.int32, device=strength.device)
    index = torch.where(strength >= enough, places, n_atoms).amin(dim=1).long()
    return index, (correlations if signed else strength).gather(1, index[:, None])[:, 0]


def noise_floor(energy: Tensor, dtype: torch.dtype) -> Tensor:
    """The |correlation| below which a step would fit rounding: energy |x|^2 (n_tokens,) -> (n_tokens,) in `dtype`."""
    return (NOISE * torch.finfo(dtype).eps * energy.sqrt()).to(dtype)


def wide_dtype(x: Tensor) -> torch.dtype:
    """float64 where the device has it (Apple's GPUs do not)."""
    return x.dtype if x.device.type == "mps" else torch.float64
