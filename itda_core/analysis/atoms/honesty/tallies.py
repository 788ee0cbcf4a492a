"""What was counted of a dictionary's labels, and the shares, lifts and intervals that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from itda_core.analysis.atoms.honesty.drawn import BINS, SIGNS

METHOD_VERSION = 1  # raised whenever the same index and labels would give other figures
MEASURES = ("same_token", "same_class", "same_neighbourhood", "same_span", "same_kind")
EVERYWHERE = tuple(range(BINS))
STRONGEST = tuple(range(BINS - SIGNS, BINS))  # the quarter of largest |coefficient|, either sign
_Z = 1.959964  # of a normal distribution, 95% between minus and plus


class Shares(NamedTuple):
    """One measure for each atom, each (n_atoms,) float64; NaN where there is none."""

    share: np.ndarray  # 0 to 1
    chance: np.ndarray  # 0 to 1
    lift: np.ndarray  # share / chance
    low: np.ndarray  # of the lift
    high: np.ndarray


@dataclass
class Tallies:
    """Counts per atom and bin, each (n_atoms, BINS)."""

    entries: np.ndarray  # int64, without those at a label's own place
    examples: np.ndarray  # int32, how many of them were looked at
    contexts: str  # what made the vectors of contexts
    near: float  # the cosine from which two contexts are near
    matches: dict[str, np.ndarray] = field(default_factory=dict)  # by measure: float32, examples that have it in common
    chances: dict[str, np.ndarray] = field(default_factory=dict)  # float32, how many would by chance
    defined: dict[str, np.ndarray] = field(default_factory=dict)  # (n_atoms,) bool: whether the label says anything

    @classmethod
    def empty(cls, entries: np.ndarray, contexts: str, near: float) -> Tallies:
        """Nothing counted yet."""
        return cls(entries, np.zeros(entries.shape, np.int32), contexts, near)

    def count_examples(self, atom: np.ndarray, bins: np.ndarray) -> None:
        """atom, bins: of each example, (n,)."""
        self.examples = self._sums(atom, bins, None).astype(np.int32)

    def add(
        self, measure: str, atom: np.ndarray, bins: np.ndarray, common: np.ndarray, chance: np.ndarray,
        defined: np.ndarray,
    ) -> None:  # fmt: skip
        """One measure: whether each example has it in common, and with what probability by chance."""
        self.matches[measure] = self._sums(atom, bins, common).astype(np.float32)
        self.chances[measure] = self._sums(atom, bins, chance).astype(np.float32)
        self.defined[measure] = defined

    def _sums(self, atom: np.ndarray, bins: np.ndarray, values: np.ndarray | None) -> np.ndarray:
        places = atom.astype(np.int64) * BINS + bins
        return np.bincount(places, values, minlength=self.entries.size).reshape(self.entries.shape)

    def shares(self, measure: str, bins: tuple[int, ...] = STRONGEST) -> Shares | None:
        """A measure over some bins, each weighed by its entries; None where nothing is known of it for any atom."""
        if measure not in self.matches:
            return None
        columns = list(bins)
        examples = self.examples[:, columns].astype(np.float64)
        weight = np.where(examples > 0, self.entries[:, columns], 0).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            weight /= weight.sum(1, keepdims=True)
            each = np.where(examples > 0, weight / examples, 0)
            share = (each * self.matches[measure][:, columns]).sum(1)
            chance = (each * self.chances[measure][:, columns]).sum(1)
            n = 1 / (each * weight).sum(1)  # Kish's effective number
            low, high = wilson(share, n)
            unknown = ~self.defined[measure] | (examples.sum(1) == 0)
            lifts = (np.where(chance > 0, value / chance, np.nan) for value in (share, low, high))
            return Shares(*(np.where(unknown, np.nan, value) for value in (share, chance, *lifts)))

    @property
    def n_strongest(self) -> np.ndarray:
        """How many examples of each atom's strongest quarter were looked at: (n_atoms,)."""
        return self.examples[:, list(STRONGEST)].sum(1)


def wilson(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval (1927) of a share found in n examples, at 95%: its two ends, 0 to 1."""
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return np.maximum(centre - half, 0), np.minimum(centre + half, 1)
