"""Whether a token stands in the same neighbourhood as an atom's label: the cosine of their contexts.

Near is what is nearer than all but NEAR of the contexts that chance puts beside each other: REFERENCES atoms drawn by
use (a fixed seed) beside tokens spread over the whole text. So the threshold follows the vectors, whoever makes them,
and chance is about NEAR; for each token it is the share of the references that are near it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from itda_core.analysis.atoms.honesty.context_vectors import Contexts
    from itda_core.analysis.atoms.index import AtomIndex, IndexedWindow
    from itda_core.dictionaries import AtomLabel

NEAR = 0.05
REFERENCES = 256
_SPREAD = 128  # windows from which the threshold is taken
_SEED = 0
_EVERY = 4  # of their tokens
_PAIRS_AT_ONCE = 16_384


class Neighbourhoods:
    """The labels' contexts, to which tokens' contexts are compared; of several labels of an atom the nearest counts."""

    def __init__(self, index: AtomIndex, labels: Sequence[AtomLabel], contexts: Contexts, uses: np.ndarray) -> None:
        """labels: of all atoms, in the order of atoms; uses: (n_atoms,) tokens."""
        self._index, self._contexts = index, contexts
        starts = [len(label.context_before) for label in labels]
        ends = [start + len(label.token) for start, label in zip(starts, labels, strict=True)]
        texts = [label.context_before + label.token + label.context_after for label in labels]
        self._vectors = contexts.of_each(texts, starts, ends)
        self._count = np.bincount([label.atom for label in labels], minlength=len(uses))
        self._first = np.cumsum(self._count) - self._count
        total = uses.sum()
        generator = np.random.default_rng(_SEED)
        drawn = generator.choice(len(uses), REFERENCES, p=uses / total if total else None)
        self._references = drawn[self._count[drawn] > 0]
        self.threshold = self._threshold()  # cosine

    def near(
        self, windows: Sequence[IndexedWindow], atom: np.ndarray, token: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whether each atom's label is near each token of some windows, and by chance: (n,) bool and float64.

        token: ascending; products of all windows are computed at once, since small ones cost as much as large ones.
        """
        if not len(token):
            return np.zeros(0, dtype=bool), np.zeros(0)
        rows, of_row = np.unique(token, return_inverse=True)
        ends = np.searchsorted(rows, [window.first_token + window.n_tokens for window in windows])
        parts = zip(windows, np.split(rows, ends[:-1]), strict=True)
        vectors = np.concatenate([self._at(window, part) for window, part in parts if len(part)])
        shares = (self._nearest(vectors, self._references) >= self.threshold).mean(1)
        pieces = range(0, len(atom), _PAIRS_AT_ONCE)
        own = [self._own(vectors[of_row[i : i + _PAIRS_AT_ONCE]], atom[i : i + _PAIRS_AT_ONCE]) for i in pieces]
        return np.concatenate(own) >= self.threshold, shares[of_row]

    def _at(self, window: IndexedWindow, rows: np.ndarray) -> np.ndarray:
        known = self._index.tokens(rows)
        return self._contexts.of(
            window.text, known.char_start - window.window_start, known.char_end - window.window_start
        )

    def _labels_of(self, atoms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The labels of atoms one after the other, and where those of each begin."""
        count = self._count[atoms]
        begin = np.cumsum(count) - count
        return np.arange(count.sum()) - np.repeat(begin, count) + np.repeat(self._first[atoms], count), begin

    def _nearest(self, vectors: np.ndarray, atoms: np.ndarray) -> np.ndarray:
        """The cosine of each of `vectors` (n, dimensions) with the nearest label of each of `atoms`: (n, n_atoms)."""
        labels, begin = self._labels_of(atoms)
        return np.maximum.reduceat(vectors @ self._vectors[labels].T, begin, axis=1)

    def _own(self, vectors: np.ndarray, atoms: np.ndarray) -> np.ndarray:
        """The same of each of `vectors` with the atom in the same place only: (n,)."""
        labels, begin = self._labels_of(atoms)
        pairs = np.repeat(np.arange(len(atoms)), self._count[atoms])
        return np.maximum.reduceat(np.einsum("nd,nd->n", vectors[pairs], self._vectors[labels]), begin)

    def _threshold(self) -> float:
        n = self._index.description.windows
        spread = np.unique(np.linspace(0, n - 1, min(n, _SPREAD)).astype(np.int64))
        vectors = [
            self._at(window, np.arange(window.first_token, window.first_token + window.n_tokens)[::_EVERY])
            for window in self._index.windows(spread)
            if window.n_tokens
        ]
        if not vectors:
            return 1.0
        cosines = self._nearest(np.concatenate(vectors), self._references)
        # Contexts without a word have cosine 0 with all: they are near to none.
        return max(1e-3, float(np.quantile(cosines, 1 - NEAR)))
