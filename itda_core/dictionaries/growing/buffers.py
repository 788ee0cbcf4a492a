"""Atoms and their Gram matrix, in buffers that grow."""

from __future__ import annotations

import torch
from torch import Tensor

from itda_core.pursuit.precision import wide_dtype

FIRST_CAPACITY = 64
GROWTH = 1.25  # small, because a pursuit reads the whole width of the buffer


class GrowingAtoms:
    """Unit-norm atoms (n, d_model) and atoms @ atoms.T; appending costs one product, never a recomputation.

    `gram` is as wide as the buffer, (capacity, capacity), with zeros where there is no atom yet: rows of full width are
    contiguous, and an atom of no correlation is never taken.

    Products are computed in float64 and rounded to float32. A matrix product adds in an order that depends on its
    shape, so float32 sums would differ in the last bits with the sizes of blocks and batches, and with them, now and
    then, the dictionary. Float64 sums differ too, but so little that about one in a hundred million is rounded to
    another float32.
    """

    def __init__(self, d_model: int, device: torch.device) -> None:
        self.count = 0
        self.gram = torch.zeros(FIRST_CAPACITY, FIRST_CAPACITY, device=device)
        self.wide = torch.zeros(FIRST_CAPACITY, d_model, dtype=wide_dtype(self.gram), device=device)

    @classmethod
    def of(cls, atoms: Tensor) -> GrowingAtoms:
        """Buffers that took in `atoms` (n, d_model) one by one, so that every bit is as it was in the run before."""
        growing = cls(atoms.shape[1], atoms.device)
        for atom in atoms:
            growing.append(atom)
        return growing

    @property
    def capacity(self) -> int:
        return self.wide.shape[0]

    @property
    def atoms(self) -> Tensor:
        """(n, d_model) float32, a copy."""
        return self.wide[: self.count].float()

    def append(self, atom: Tensor) -> None:
        """Take in one more atom (d_model,), float32 of unit norm."""
        if self.count == self.capacity:
            self._grow()
        self.wide[self.count] = atom
        self.count += 1
        row = (self.wide[: self.count] @ self.wide[self.count - 1]).float()
        self.gram[self.count - 1, : self.count] = row
        self.gram[: self.count, self.count - 1] = row

    def correlations(self, x: Tensor) -> Tensor:
        """<x, atom>: x (n_tokens, d_model) in the wide dtype -> (n_tokens, capacity) float32, zero where no atom is."""
        full = torch.zeros(x.shape[0], self.capacity, device=x.device)
        full[:, : self.count] = x @ self.wide[: self.count].T
        return full

    def newest_correlations(self, x: Tensor) -> Tensor:
        """<x, newest atom>: x (n_tokens, d_model) in the wide dtype -> (n_tokens,) float32."""
        return (x @ self.wide[self.count - 1]).float()

    def reserve(self, more: int) -> None:
        """Make room for `more` atoms; compiled code then writes them into `wide` and `gram` itself."""
        while self.count + more > self.capacity:
            self._grow()

    def _grow(self) -> None:
        capacity = -(-int(self.capacity * GROWTH) // FIRST_CAPACITY) * FIRST_CAPACITY
        wide = self.wide.new_zeros(capacity, self.wide.shape[1])
        wide[: self.count] = self.wide[: self.count]
        gram = self.gram.new_zeros(capacity, capacity)
        gram[: self.count, : self.count] = self.gram[: self.count, : self.count]
        self.wide, self.gram = wide, gram
