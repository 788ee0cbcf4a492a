"""How certain a Jaccard value is: a bootstrap over documents, and which cells can be told apart by it.

Labels of one document are not independent of each other, but documents nearly are. So documents are drawn, with
replacement, and everything is counted in the drawn ones. All cells are computed from the same resamples, which makes
the difference of two cells far more certain than either of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from itda_core.comparison.label_sets import LabelSet, together
from itda_core.errors import UserError

Mask = Callable[[int, int], np.ndarray]  # which labels of set i count beside set j
ByDocument = Callable[[int], np.ndarray]  # (n_documents, n_sets): prefixes of each document that set i shares


class Bootstrap:
    """Resampled Jaccard values of every two sets; percentile intervals (Efron and Tibshirani 1993, chapter 13).

    Documents in which no set has a label are left out: they change no count. `values`: (resamples, n_sets, n_sets)
    float32. While they are computed, 4 bytes are held per resample and document.
    """

    def __init__(
        self, sets: Sequence[LabelSet], labels: Mask, by_document: ByDocument, level: float, resamples: int, seed: int
    ) -> None:
        """Raises UserError when `level` is not between 0 and 1, or there are fewer than 2 resamples."""
        if not 0 < level < 1:
            raise UserError(f"level={level} is no share of the resamples; choose one between 0 and 1, such as 0.95.")
        if resamples < 2:
            raise UserError(f"resamples={resamples} make no interval; choose some hundreds, such as 1000.")
        self.level, n = level, len(sets)
        documents, document = together(sets)
        own = np.split(document, np.cumsum([len(one) for one in sets])[:-1])
        drawn = _drawn(len(documents), resamples, seed)
        self.values = np.ones((resamples, n, n), np.float32)

        def counted(i: int, j: int) -> np.ndarray:
            return np.bincount(own[i][labels(i, j)], minlength=len(documents))

        for i in range(n - 1):
            others = range(i + 1, n)
            both = np.stack([counted(i, j) + counted(j, i) for j in others], axis=1).astype(np.float32)
            shared = drawn @ by_document(i)[:, i + 1 :]
            union = drawn @ both - shared
            self.values[:, i, i + 1 :] = np.divide(shared, union, out=np.zeros_like(union), where=union > 0)
            self.values[:, i + 1 :, i] = self.values[:, i, i + 1 :]

    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Its two ends, each (n_sets, n_sets) float64."""
        low, high = np.quantile(self.values, self._tails, axis=0)
        return low, high

    def like_the_largest(self, row: int, columns: Sequence[int], jaccard: np.ndarray) -> list[int]:
        """Which of `columns` cannot be told from the one where `jaccard` (n_sets,) is largest; that one not named."""
        if not columns:
            return []
        best = max(columns, key=lambda j: jaccard[j])
        others = [j for j in columns if j != best]
        differences = self.values[:, row, best, None] - self.values[:, row, others]
        low, high = np.quantile(differences, self._tails, axis=0)
        return [j for j, below, above in zip(others, low, high, strict=True) if below <= 0 <= above]

    @property
    def _tails(self) -> tuple[float, float]:
        return (1 - self.level) / 2, (1 + self.level) / 2


def _drawn(n_documents: int, resamples: int, seed: int) -> np.ndarray:
    """How often each document is in each resample: (resamples, n_documents) float32."""
    generator = np.random.default_rng(seed)
    drawn = np.empty((resamples, n_documents), np.float32)
    for row in drawn:
        row[:] = np.bincount(generator.integers(0, n_documents, n_documents), minlength=n_documents)
    return drawn
