"""What can be compared, estimated without the corpus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from itda_core.comparison.label_sets import LabelSet, packed, together
from itda_core.comparison.overlap.refusals import check, refusal
from itda_core.comparison.overlap.token_counts import TokenCounts
from itda_core.errors import UserError


class EstimatedComparability:
    """Comparability without the corpus: every label counts; prefixes are the tokens that both trainings report.

    Only sets of one reading (tokenizer, context, windows) have a known number of prefixes in common. Where the set that
    read more has labels all over its text (LabelSet.spread), only a part of these lie in the common text, though all
    count: by chance they meet the other's as if both had been drawn from the longer text.
    """

    exact = False

    def __init__(self, sets: Sequence[LabelSet]) -> None:
        """Raises UserError where corpora differ, or two sets of different readings have no window in common."""
        check(sets)
        self.sets = sets
        if any(one.reading != sets[0].reading for one in sets):
            _check_windows(sets)
        numbers = {reading: i for i, reading in enumerate(dict.fromkeys(one.reading for one in sets))}
        own = np.array([numbers[one.reading] for one in sets])
        read = np.array([np.nan if one.tokens is None else one.tokens for one in sets], float)
        self.prefixes = np.where(own[:, None] == own, np.minimum(read[:, None], read), np.nan)
        larger = np.maximum(read[:, None], read)
        longer_spread = np.array([one.spread for one in sets])
        spread = np.where(read[:, None] >= read, longer_spread[:, None], longer_spread[None, :])
        self.population = np.where(spread & ~np.isnan(self.prefixes), larger, self.prefixes)
        self.fraction = self.prefixes / np.maximum(read[:, None], read)
        np.fill_diagonal(self.fraction, 1.0)

    def labels(self, i: int, j: int) -> np.ndarray:
        """(n_labels,) bool, all True: without the corpus every label is taken to be comparable."""
        return np.ones(len(self.sets[i]), bool)

    def sizes(self) -> np.ndarray:
        """int64 (n_sets, n_sets): all labels of set i, in each column."""
        return np.repeat(np.array([len(one) for one in self.sets])[:, None], len(self.sets), axis=1)

    def token_counts(self, i: int, j: int, first: np.ndarray, second: np.ndarray) -> TokenCounts:
        """Raises UserError: how often a token occurs in the text is not known."""
        raise UserError(
            "The chance level given the tokens needs the corpus, which was not at hand; give it, or ask for the "
            "uniform chance level."
        )


def _check_windows(sets: Sequence[LabelSet]) -> None:
    """Raises UserError when two sets of different readings have no window in common, so no prefix can be shared."""
    start = np.concatenate([one.window_start for one in sets])
    every = packed(together(sets)[1], start, start)
    own = [np.unique(part) for part in np.split(every, np.cumsum([len(one) for one in sets])[:-1])]
    for i, one in enumerate(sets):
        for j, other in enumerate(sets[:i]):
            if one.reading != other.reading and not len(np.intersect1d(own[i], own[j], assume_unique=True)):
                raise refusal(other, one)
