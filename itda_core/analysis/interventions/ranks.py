"""Spearman's rank correlation."""

from __future__ import annotations

from collections.abc import Sequence


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's rank correlation, -1 to 1, equal values sharing their mean rank; None where it is not defined: fewer
    than two values, or all of one side equal."""
    import numpy as np

    if len(one) < 2:
        return None
    ranks = np.stack([_ranks(one), _ranks(other)])
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=1))
    return float(centred[0] @ centred[1] / (norms[0] * norms[1])) if norms.all() else None


def _ranks(values: Sequence[float]):
    import numpy as np

    _, inverse, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return ((ends - counts + ends - 1) / 2.0)[inverse]
