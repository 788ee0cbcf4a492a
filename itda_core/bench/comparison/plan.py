"""What `itda bench compare` measures: sizes only."""

from __future__ import annotations

from dataclasses import dataclass

TEXTBOOK = "pairwise Python sets of (document, window_start, last)"


@dataclass(frozen=True)
class ComparePlan:
    """How many dictionaries of what size are compared, all pairs of them."""

    dictionaries: int = 240
    atoms: int = 20_000
    layers: int = 6  # of each model; those of one model overlap more
    documents: int = 4_000
    tokens: int = 100  # per document
    repeats: int = 3  # of ours, of which the median counts
    sets_seconds: float = 120.0  # the most that pairs of sets are timed; the rest is scaled up
    seed: int = 0

    @property
    def name(self) -> str:
        return f"{self.dictionaries} dictionaries of {self.atoms:,}"

    @property
    def pairs(self) -> int:
        return self.dictionaries * (self.dictionaries - 1) // 2


QUICK = ComparePlan(dictionaries=12, atoms=200, documents=100, tokens=20, repeats=1)
