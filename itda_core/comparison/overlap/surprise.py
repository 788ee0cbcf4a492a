"""How surprising it is that two dictionaries share a label: -log2 of the chance that they do, in bits (Shannon, "A
Mathematical Theory of Communication", 1948).

The chance is estimated from the labels themselves, each time without the label in question, by two things that decide
it. When it entered: what is read first is nearly all labelled by every dictionary, later labels seldom coincide; so the
share of the labels that entered about when it did and are shared, in both dictionaries (geometric mean). And its token:
of the labels of that token that either has, the share that both have, beside the share among all labels. The two shares
are taken as independent of each other (naive Bayes, in odds), and each counts the share among all as one label more
(additive smoothing), without which a single label would decide.
"""

from __future__ import annotations

import numpy as np

NEIGHBOURS = 25  # labels that entered just before one, and as many that entered just after it


def surprise(
    shared: tuple[np.ndarray, np.ndarray], sizes: tuple[int, int], token: np.ndarray, labelled: np.ndarray
) -> np.ndarray:
    """Of each shared label, in bits: (n_shared,) float64, 0 and more.

    shared: for either dictionary (n_shared,) which of its labels each is, counted in order of entering; sizes: how many
    labels either has; token: (n_shared,) the number of its token; labelled: (n_tokens,) how many places of each token
    are labelled by either or both.
    """
    n_shared = len(token)
    if not n_shared:
        return np.zeros(0)
    jaccard = n_shared / (sum(sizes) - n_shared)
    stage = np.sqrt(_nearby(shared[0], sizes[0]) * _nearby(shared[1], sizes[1]))
    of_token = np.bincount(token, minlength=len(labelled))[token]
    by_token = (of_token - 1 + jaccard) / labelled[token]
    yes, no = stage * by_token / jaccard, (1 - stage) * (1 - by_token) / max(1 - jaccard, np.finfo(float).tiny)
    return -np.log2(yes / (yes + no)) + 0.0


def _nearby(shared: np.ndarray, size: int) -> np.ndarray:
    """Of one dictionary's labels that entered about when each shared one did, the share that is shared (n_shared,)."""
    hit = np.zeros(size)
    hit[shared] = 1
    before = np.concatenate([[0], np.cumsum(hit)])
    low, high = np.maximum(shared - NEIGHBOURS, 0), np.minimum(shared + NEIGHBOURS + 1, size)
    return (before[high] - before[low] - 1 + len(shared) / size) / (high - low)
