"""The two ways to know every atom's correlation with the residual: by the Gram matrix, or by the residual itself."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from itda_core.pursuit import kernels
from itda_core.pursuit.code import weighted_rows

ATOMS_AT_ONCE = 4096  # in the residual form: their correlations with a chunk of tokens stay in the cache


class Form(Protocol):
    """The residuals of some tokens, seen through their correlations with all atoms."""

    dtype: torch.dtype  # of the correlations

    def strongest(self, doubt: Tensor, signed: bool, chosen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Per token the atom of the largest |<residual, atom>|, or of the largest where not `signed`, and that
        correlation: (n_tokens,) each. doubt: (n_tokens,), see `strongest`. chosen: (n_tokens, n_slots) atoms known to
        be orthogonal to the residual.
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


class GramForm(Form):
    """Correlations are computed once and corrected by rows of the Gram matrix: no (n_tokens, d_model) tensor."""

    def __init__(self, correlations: Tensor, gram: Tensor) -> None:
        """correlations: <x, atom> (n_tokens, n_atoms), not written to; gram: atoms @ atoms.T (n_atoms, n_atoms)."""
        self._first, self._now, self._gram = correlations, correlations.clone(), gram.to(correlations.dtype)
        self.dtype = correlations.dtype

    def strongest(self, doubt: Tensor, signed: bool, chosen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return strongest(self._now if chosen is None else self._now.scatter(1, chosen, 0), doubt, signed)

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


class ResidualForm(Form):
    """The residual is kept and correlated with the atoms anew at each step, ATOMS_AT_ONCE atoms at a time and only the
    strongest remembered: neither an (n_atoms, n_atoms) matrix nor an (n_tokens, n_atoms) one is needed.
    """

    def __init__(self, x: Tensor, atoms: Tensor) -> None:
        """x: (n_tokens, d_model), not written to; atoms: (n_atoms, d_model) unit norm."""
        self._x, self._residual, self._atoms, self.dtype = x, x.clone(), atoms, x.dtype
        self._room: Tensor | None = None  # for correlations: fresh memory costs more than what is written to it

    def strongest(self, doubt: Tensor, signed: bool, chosen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        fused = kernels.fused_strongest(self._residual)
        if fused is not None and chosen is None:
            return self._lowest(*fused(self._residual, self._atoms, doubt, signed=signed), doubt, signed, None)
        n_tokens, width = len(self._residual), min(ATOMS_AT_ONCE, len(self._atoms))
        starts = range(0, len(self._atoms), width)
        indices = torch.empty(n_tokens, len(starts), dtype=torch.int64, device=self._x.device)
        values, largest = self._x.new_empty(n_tokens, len(starts)), self._x.new_empty(n_tokens, len(starts))
        select = kernels.strongest(self._x) or strongest_and_largest
        for block, start in enumerate(starts):
            correlations = self._correlations(slice(start, start + width), chosen)
            found, values[:, block], largest[:, block] = select(correlations, doubt, signed=signed)
            indices[:, block] = found + start
        return self._lowest(indices, values, largest, doubt, signed, chosen)

    def _correlations(self, part: slice, chosen: Tensor | None, rows: slice = slice(None)) -> Tensor:
        """<residual, atom> of the atoms `part`, zero for `chosen` ones: (n_rows, n_part)."""
        residual, atoms = self._residual[rows], self._atoms[part]
        if self._room is None:
            self._room = self._x.new_empty(len(self._residual) * min(ATOMS_AT_ONCE, len(self._atoms)))
        room = self._room[: len(residual) * len(atoms)].view(len(residual), -1)
        correlations = torch.mm(residual, atoms.T, out=room)
        if chosen is not None:
            places = chosen[rows] - part.start
            tokens, slots = ((places >= 0) & (places < len(atoms))).nonzero(as_tuple=True)
            correlations[tokens, places[tokens, slots]] = 0
        return correlations

    def _lowest(
        self, indices: Tensor, values: Tensor, largest: Tensor, doubt: Tensor, signed: bool, chosen: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The strongest atom overall, from the strongest of each block of atoms in turn.

        indices, values, largest: (n_tokens, n_blocks) of each block what `strongest_and_largest` gives.
        """
        enough = largest.amax(dim=1) - doubt
        block = lowest_reaching(largest, enough)[:, None]
        index, value = indices.gather(1, block)[:, 0].long(), values.gather(1, block)[:, 0]
        # What a block took for equal to its own largest may fall short of the largest of all.
        for token in (strength_of(value, signed) < enough).nonzero()[:, 0].tolist():
            start = int(index[token]) // ATOMS_AT_ONCE * ATOMS_AT_ONCE
            rows = slice(token, token + 1)
            correlations = self._correlations(slice(start, start + ATOMS_AT_ONCE), chosen, rows)
            strength = strength_of(correlations, signed)
            # Computed a second time, a correlation may differ in its last bit; the largest is always found.
            found = lowest_reaching(strength, torch.minimum(enough[rows], strength.amax(dim=1)))
            index[token], value[token] = found[0] + start, correlations[0, found[0]]
        return index, value

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


def strongest(correlations: Tensor, doubt: Tensor, signed: bool = True) -> tuple[Tensor, Tensor]:
    """Per token the atom with the largest |correlation| (with the largest, where not `signed`), and that correlation,
    signed: (n_tokens,) each. Where not `signed` and none is above zero: atom 0 and zero.

    correlations: (n_tokens, n_atoms). doubt: (n_tokens,), from `doubt_of`: correlations that differ by no more than
    that are equal, and of equal ones the lower index is taken. A matrix product may give two identical atoms
    correlations that differ in their last bits, and argmax promises nothing for ties, so neither decides here.
    """
    index, value, _ = strongest_and_largest(correlations, doubt, signed=signed)
    return index, value


def strongest_and_largest(correlations: Tensor, doubt: Tensor, *, signed: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """What `strongest` returns, and the largest strength there is, (n_tokens,)."""
    strength = strength_of(correlations, signed)
    largest = strength.amax(dim=1)
    index = lowest_reaching(strength, largest - doubt)
    return index, (correlations if signed else strength).gather(1, index[:, None])[:, 0], largest


def strength_of(correlations: Tensor, signed: bool) -> Tensor:
    """What is compared: |correlation|, or what is positive of it."""
    return correlations.abs() if signed else correlations.clamp(min=0)


def lowest_reaching(strength: Tensor, enough: Tensor) -> Tensor:
    """The lowest column of `strength` (n_tokens, n) that reaches `enough` (n_tokens,), which one of them does."""
    places = torch.arange(strength.shape[1], dtype=torch.int32, device=strength.device)
    return torch.where(strength >= enough[:, None], places, strength.shape[1]).amin(dim=1).long()
