"""Label sets of unequal size cut to the smaller one's size, pair by pair: unequal sizes alone lower a Jaccard value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from itda_core.comparison.label_sets import LabelSet, packed, together
from itda_core.comparison.overlap.comparability import Comparability


def first_of(usable: np.ndarray, n: int) -> np.ndarray:
    """(n_labels,) bool: the first `n`, in order of entering, of the labels in `usable` (n_labels,) bool."""
    return usable & (np.cumsum(usable) <= n)


class Cropped:
    """The first n comparable labels of each two sets by order of entering, n being the size of the smaller.

    `sizes` and `intersection`: (n_sets, n_sets) int64, `sizes[i, j]` labels of set i that count beside set j.
    """

    def __init__(self, sets: Sequence[LabelSet], comparable: Comparability) -> None:
        documents, document = together(sets)
        start, last = (np.concatenate([getattr(one, name) for one in sets]) for name in ("window_start", "last"))
        prefix = np.unique(packed(document, start, last), return_inverse=True)[1]
        ends = np.cumsum([len(one) for one in sets])[:-1]
        self._prefix, self._document = np.split(prefix, ends), np.split(document, ends)
        self._n_documents, self._n_prefixes = len(documents), int(prefix.max()) + 1
        self._comparable, self._available = comparable, comparable.sizes()
        self.sizes = np.minimum(self._available, self._available.T)
        self.intersection = np.zeros_like(self.sizes)
        for i in range(len(sets)):
            for j, shared in enumerate(self._shared(i)):
                self.intersection[i, j] = len(shared)

    def labels(self, i: int, j: int) -> np.ndarray:
        """(n_labels,) bool: which labels of set `i` count beside set `j`."""
        usable = self._comparable.labels(i, j)
        if self._available[i, j] == self.sizes[i, j]:
            return usable
        return first_of(usable, self.sizes[i, j])

    def by_document(self, i: int) -> np.ndarray:
        """(n_documents, n_sets) float32: how many prefixes of each document set `i` shares with each other one."""
        columns = [
            np.bincount(self._document[i][shared], minlength=self._n_documents).astype(np.float32)
            for shared in self._shared(i)
        ]
        return np.stack(columns, axis=1)

    def _shared(self, i: int) -> list[np.ndarray]:
        """For each set, which labels of set `i` both have."""
        found = []
        for j, other in enumerate(self._prefix):
            has = np.zeros(self._n_prefixes, bool)
            has[other[self.labels(j, i)]] = True
            found.append(np.flatnonzero(self.labels(i, j) & has[self._prefix[i]]))
        return found
