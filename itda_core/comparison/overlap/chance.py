"""What Jaccard two dictionaries would have by chance, and how far what was found is from it.

Two chance levels. "uniform": both dictionaries drew their labels from all comparable prefixes, any as likely as any
other. "token", the stricter one: each keeps how many labels it has of every token, and only which of the token's
occurrences they stand at is chance; what is above this level is more than both models labelling the same tokens.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from itda_core.comparison.overlap.token_counts import TokenCounts
from itda_core.errors import UserError

NULLS = ("uniform", "token")
_SPREADS = 12  # standard deviations of an intersection beyond which its probability does not count


class Chance(NamedTuple):
    """The Jaccard expected by chance and its standard deviation; NaN where not known."""

    jaccard: float
    sd: float

    def z(self, jaccard: float) -> float:
        """How many standard deviations `jaccard` is above chance; NaN where chance does not vary."""
        return (jaccard - self.jaccard) / self.sd if self.sd > 0 else float("nan")


def check_null(null: str) -> None:
    """Raises UserError unless it is one of NULLS."""
    if null not in NULLS:
        raise UserError(f"The chance level {null!r} does not exist; choose {' or '.join(NULLS)}.")


@lru_cache(maxsize=65_536)
def uniform(n_prefixes: int, first: int, second: int) -> Chance:
    """Sets of `first` and `second` prefixes drawn independently from `n_prefixes`, each without replacement.

    Exact: the intersection is hypergeometric, and Jaccard is summed over it.
    """
    assert max(first, second) <= n_prefixes, "sets of the prefixes"
    if first == 0 or second == 0:
        return Chance(0.0, 0.0)
    mean = first * second / n_prefixes
    spread = np.sqrt(_variance(*(np.array([value], float) for value in (n_prefixes, first, second)))[0])
    low = max(0, first + second - n_prefixes, int(mean - _SPREADS * spread) - 2)
    high = min(first, second, int(mean + _SPREADS * spread) + 2)
    shared = np.arange(low, high + 1)
    logs = _log_factorials(n_prefixes)
    terms = logs[shared] + logs[first - shared] + logs[second - shared] + logs[n_prefixes - first - second + shared]
    probability = np.exp(terms.min() - terms)
    probability /= probability.sum()
    jaccard = shared / (first + second - shared)
    expected = float(probability @ jaccard)
    return Chance(expected, float(np.sqrt(max(0.0, probability @ (jaccard - expected) ** 2))))


def given_tokens(counts: TokenCounts) -> Chance:
    """The same where each set keeps how many labels it has of every token.

    The intersection is a sum of independent hypergeometric ones, mean sum_t a_t b_t / N_t; Jaccard is a smooth function
    of it, taken to the second order around that mean.
    """
    first, second, text = (part[counts.text > 0].astype(np.float64) for part in counts)
    mean = float((first * second / text).sum())
    variance = float(_variance(text, first, second).sum())
    both = float(first.sum() + second.sum())
    if both == 0 or both == mean:
        return Chance(0.0 if both == 0 else 1.0, 0.0)
    slope, bend = both / (both - mean) ** 2, 2 * both / (both - mean) ** 3
    return Chance(mean / (both - mean) + bend * variance / 2, slope * variance**0.5)


def permuted(counts: TokenCounts, null: str = "uniform", *, draws: int = 1000, seed: int = 0) -> np.ndarray:
    """The same by drawing: (draws,) Jaccard values of sets drawn at random, to check the closed forms with.

    Raises UserError for an unknown `null`.
    """
    check_null(null)
    generator = np.random.default_rng(seed)
    kind = np.repeat(np.arange(len(counts.text)), counts.text)  # of each prefix
    if null == "uniform":
        kind[:] = 0
        counts = TokenCounts(*(np.array([part.sum()]) for part in counts))
    begins = np.cumsum(counts.text) - counts.text
    found = np.empty(draws)
    for draw in range(draws):
        chosen = [_drawn(generator, kind, begins, part) for part in (counts.first, counts.second)]
        shared = int((chosen[0] & chosen[1]).sum())
        union = int(counts.first.sum() + counts.second.sum()) - shared
        found[draw] = shared / union if union else 0.0
    return found


def _drawn(generator: np.random.Generator, kind: np.ndarray, begins: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(n_prefixes,) bool: so many prefixes of each kind as are wanted of it, each as likely as another of its kind."""
    order = np.lexsort((generator.random(len(kind)), kind))
    chosen = np.zeros(len(kind), bool)
    chosen[order] = np.arange(len(kind)) - begins[kind] < wanted[kind]
    return chosen


def _variance(n: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of a hypergeometric intersection; all float64, whose range the products need."""
    return first * second * (n - first) * (n - second) / np.maximum(n**2 * (n - 1.0), 1.0)


@lru_cache(maxsize=4)
def _log_factorials(n: int) -> np.ndarray:
    """log(i!) for i from 0 to n."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
