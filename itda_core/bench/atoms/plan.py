"""What `itda bench atoms` measures: sizes only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AtomsPlan:
    """How large an index is written and read, and how much is encoded to compare the writing with."""

    tokens: int = 1_000_000
    k: int = 40
    atoms: int = 16_000
    d_model: int = 512  # of what is encoded
    encoded: int = 8_192  # tokens that are encoded, with and without an index being made of them
    repeats: int = 3  # of these, of which the median counts
    pages: int = 100  # atoms drawn at random whose pages are read
    context: int = 128  # tokens of a window
    windows: int = 16  # of a batch
    seed: int = 0

    @property
    def name(self) -> str:
        return f"{self.tokens:,} tokens x {self.k} of {self.atoms:,} atoms"

    @property
    def batch(self) -> int:
        """Tokens of a batch."""
        return self.context * self.windows


QUICK = AtomsPlan(tokens=4_000, k=6, atoms=200, d_model=32, encoded=400, repeats=1, pages=10, context=16, windows=4)
