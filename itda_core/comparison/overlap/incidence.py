"""Which label sets hold which prefixes, all sets at once, and how many each two of them share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from itda_core.comparison.label_sets import LabelSet, packed, together

_CELLS = 2**22  # of the incidence that are written out at once, float32


class Incidence(NamedTuple):
    """Every prefix that at least two sets hold, with each of those sets: a sparse matrix, prefix by prefix.

    Arrays (n_entries,) int64: `prefix` numbers the shared prefixes from 0 and ascends, `owner` is the set, `document`
    numbers the documents of all sets.
    """

    n_sets: int
    n_documents: int
    prefix: np.ndarray
    owner: np.ndarray
    document: np.ndarray | None  # None: was not asked for

    @classmethod
    def of(cls, sets: Sequence[LabelSet], *, with_documents: bool = False) -> Incidence:
        """The incidence of all labels of `sets`; with_documents: also each label's document."""
        documents, document = together(sets)
        bits = max(1, (len(sets) - 1).bit_length())
        start, last = (np.concatenate([getattr(one, name) for one in sets]) for name in ("window_start", "last"))
        entries = packed(document, start, last, bits) << bits
        entries |= np.repeat(np.arange(len(sets)), [len(one) for one in sets])
        # Sorting plain integers is several times quicker than hashing them, or than sorting their places.
        order = np.argsort(entries) if with_documents else None
        if order is None:
            entries.sort()
        else:
            entries = entries[order]
        keys = entries >> bits
        same = keys[1:] == keys[:-1]
        shared = np.zeros(len(keys), bool)
        shared[1:] |= same
        shared[:-1] |= same
        begins = np.concatenate([[True], ~same])
        return cls(
            n_sets=len(sets),
            n_documents=len(documents),
            prefix=np.cumsum(begins[shared]) - 1,
            owner=entries[shared] & ((1 << bits) - 1),
            document=None if order is None else document[order[shared]],
        )

    def intersections(self) -> np.ndarray:
        """(n_sets, n_sets) int64: how many prefixes each two sets have in common; the diagonal means nothing."""
        found = np.zeros((self.n_sets, self.n_sets), np.int64)
        for rows in self._blocks():
            found += (rows @ rows.T).astype(np.int64)  # exact: a sum of fewer than 2^24 ones
        return found

    def by_document(self, i: int) -> np.ndarray:
        """(n_documents, n_sets) float32: how many prefixes of each document set `i` shares with each other one."""
        assert self.document is not None, "made with documents"
        has = np.zeros(int(self.prefix[-1]) + 1 if len(self.prefix) else 0, bool)
        has[self.prefix[self.owner == i]] = True
        common = has[self.prefix]
        cells = self.document[common] * self.n_sets + self.owner[common]
        counts = np.bincount(cells, minlength=self.n_documents * self.n_sets)
        return counts.reshape(self.n_documents, self.n_sets).astype(np.float32)

    def _blocks(self) -> Iterator[np.ndarray]:
        """The incidence as ones and zeros (n_sets, some prefixes) float32, a block of prefixes at a time."""
        width = max(1, _CELLS // self.n_sets)
        n_prefixes = int(self.prefix[-1]) + 1 if len(self.prefix) else 0
        for begin in range(0, n_prefixes, width):
            first, end = np.searchsorted(self.prefix, [begin, begin + width])
            rows = np.zeros((self.n_sets, min(width, n_prefixes - begin)), np.float32)
            rows[self.owner[first:end], self.prefix[first:end] - begin] = 1
            yield rows
