"""Atoms that are used at the same tokens, beside what chance would give.

Two atoms of which each is used by a share of the tokens meet by chance at the product of these shares. Lift is how many
times as often they do meet. Of rare atoms a single meeting makes an enormous lift, so atoms are ranked by a lower
limit of it: at a smaller lift so many meetings, or more, have a probability below ALPHA divided by the number of atoms
that are compared (Bonferroni). The limit is that of Chernoff and Hoeffding: it holds whatever the counts, so that a
limit above 1 is no fluke. It takes tokens as independent of each other, which those of one text are not altogether.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from itda_core.analysis.atoms.index_format import no_atom

ALPHA = 0.05  # that any of all atoms ranks above its true lift
TOGETHER = 10
_ROWS_AT_ONCE = 65_536
_HALVINGS = 60


@dataclass(frozen=True)
class Together:
    """An atom that is used at tokens at which the one asked about is used; keys of `itda atoms show --json`."""

    atom: int
    tokens: int  # at which both are used
    expected: float  # by chance: the product of the two shares of tokens, times the tokens
    lift: float  # tokens / expected
    low: float  # a lower limit of the lift, see above; at least 0


def together(
    codes: np.ndarray,
    rows: np.ndarray,
    uses: np.ndarray,
    atom: int,
    n: int | None = TOGETHER,
    *,
    by: str = "lift",
) -> tuple[Together, ...]:
    """The atoms used at the same tokens as `atom`, the first `n` of them (None: all).

    codes: (n_tokens, slots), the codes.npy of an index. rows: the tokens that use `atom`, each once. uses: (n_atoms,),
    by how many tokens each atom is used. by: "lift" ranks by the lower limit of the lift; "tokens" by how often both
    are used, which is what the atom is used with. Of equal ones the lower atom comes first.
    """
    assert by in ("lift", "tokens"), by
    met = uses_at(codes, rows, len(uses))
    met[atom] = 0
    others = np.flatnonzero(met)
    if not len(others):
        return ()
    tokens, share = met[others], uses[others] / len(codes)
    expected = len(rows) * share
    low = lowest_shares(tokens, len(rows), np.log(len(uses) / ALPHA)) / share
    lift = tokens / expected
    order = np.lexsort((others, -lift, -low) if by == "lift" else (others, -tokens))[:n]
    columns = (column[order].tolist() for column in (others, tokens, expected, lift, low))
    return tuple(Together(*row) for row in zip(*columns, strict=True))


def certain(found: Sequence[Together]) -> tuple[Together, ...]:
    """Those that surely meet more often than by chance. Where codes use nearly every atom, hardly any do."""
    return tuple(one for one in found if one.low > 1)


def uses_at(codes: np.ndarray, rows: np.ndarray, n_atoms: int) -> np.ndarray:
    """By how many of the tokens `rows` each atom is used: (n_atoms,) int64."""
    met, none = np.zeros(n_atoms, np.int64), no_atom(n_atoms)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        used = codes[rows[start : start + _ROWS_AT_ONCE]].ravel()
        met += np.bincount(used[used != none], minlength=n_atoms)
    return met


def lowest_shares(counts: np.ndarray, n: int, threshold: float) -> np.ndarray:
    """Per count of `n`, at least 1, the share p below it with n KL(count / n, p) = threshold, by halving: float64.

    At a smaller share such a count, or a larger one, has a probability below exp(-threshold).
    """
    distinct, where = np.unique(counts, return_inverse=True)
    found = distinct / n
    low, high = np.full(len(found), -800.0), np.log(found)  # of ln p
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        share = np.exp(middle)
        rest = np.where(found < 1, (1 - found) * (np.log1p(-np.minimum(found, 1 - 1e-16)) - np.log1p(-share)), 0.0)
        too_far = n * (found * (np.log(found) - middle) + rest) > threshold
        low, high = np.where(too_far, middle, low), np.where(too_far, high, middle)
    return np.exp(low)[where]


def highest_shares(counts: np.ndarray, n: int, threshold: float) -> np.ndarray:
    """Per count of `n`, from 0, the share above it with n KL(count / n, p) = threshold: float64, 0 to 1.

    At a larger share such a count, or a smaller one, has a probability below exp(-threshold).
    """
    found, some = np.ones(len(counts)), counts < n
    found[some] = 1 - lowest_shares(n - counts[some], n, threshold)
    return found
