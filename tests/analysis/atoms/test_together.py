"""Which atoms are used at the same tokens: counts and chance by a plain loop, and ranks that no fluke wins."""

from __future__ import annotations

from math import comb, log

import numpy as np
import pytest

from itda_core.analysis.atoms.index_format import no_atom
from itda_core.analysis.atoms.together import ALPHA, certain, highest_shares, together


def codes_of(used: np.ndarray, n_atoms: int) -> np.ndarray:
    """(n_tokens, n_atoms) bool as the codes of an index."""
    slots = max(1, int(used.sum(1).max()))
    codes = np.full((len(used), slots), no_atom(n_atoms))
    for token, row in enumerate(used):
        mine = np.flatnonzero(row)[::-1]
        codes[token, : len(mine)] = mine
    return codes


@pytest.fixture(scope="module")
def used() -> np.ndarray:
    draw = np.random.default_rng(1)
    used = draw.random((4000, 30)) < draw.uniform(0.001, 0.2, 30)
    used[:, 29] = True  # one that always fires
    used[:, 5] |= used[:, 4] & (draw.random(4000) < 0.7)  # one that mostly fires with another
    used[:, 6] = False
    return used


@pytest.mark.parametrize("atom", [0, 4, 6, 29])
@pytest.mark.parametrize("by", ["lift", "tokens"])
def test_counts_and_chance_are_those_of_a_plain_loop(used: np.ndarray, atom: int, by: str) -> None:
    codes, uses = codes_of(used, 30), used.sum(0)
    found = together(codes, np.flatnonzero(used[:, atom]), uses, atom, None, by=by)
    wanted = {}
    for other in range(30):
        tokens = sum(1 for row in used if row[atom] and row[other])
        if other != atom and tokens:
            wanted[other] = tokens, uses[atom] * uses[other] / 4000
    assert {one.atom: (one.tokens, one.expected) for one in found} == {
        other: (tokens, pytest.approx(expected)) for other, (tokens, expected) in wanted.items()
    }
    assert all(one.lift == pytest.approx(one.tokens / one.expected) for one in found)
    values = [one.low if by == "lift" else one.tokens for one in found]
    assert values == sorted(values, reverse=True)


def test_companions_come_first_by_lift_and_what_always_fires_by_count(used: np.ndarray) -> None:
    codes, uses, rows = codes_of(used, 30), used.sum(0), np.flatnonzero(used[:, 4])
    assert together(codes, rows, uses, 4, 1)[0].atom == 5
    most = together(codes, rows, uses, 4, 1, by="tokens")[0]
    assert (most.atom, most.tokens, most.lift) == (29, len(rows), pytest.approx(1))


def test_a_rare_meeting_does_not_win() -> None:
    """Of 2,000 atoms used once each some meet the atom: their lift of 100 says nothing, one of 5 at 50 tokens does."""
    draw = np.random.default_rng(2)
    n_atoms, n_tokens = 2002, 100_000
    codes = np.full((n_tokens, 3), no_atom(n_atoms))
    mine = draw.permutation(n_tokens)[:1000]
    codes[mine, 0] = 0
    codes[mine[:50], 1] = codes[draw.permutation(np.setdiff1d(np.arange(n_tokens), mine))[:950], 1] = 1
    codes[draw.integers(n_tokens, size=2000), 2] = np.arange(2, 2002)
    uses = np.bincount(codes[codes != no_atom(n_atoms)], minlength=n_atoms)
    found = together(codes, np.sort(mine), uses, 0, None)
    assert max(one.lift for one in found) == pytest.approx(100)
    assert (found[0].atom, found[0].tokens, found[0].lift) == (1, 50, pytest.approx(5))
    assert found[0].low > 1
    assert all(one.low < 1 for one in found[1:])


@pytest.mark.parametrize(("count", "n"), [(1, 10), (3, 3), (7, 40), (40, 40)])
def test_below_the_lower_limit_so_many_meetings_are_improbable(count: int, n: int) -> None:
    """Summed from the binomial itself; the limit is on the safe side, but not by more than it must be."""
    n_atoms = 20
    codes = np.full((1000, 2), no_atom(n_atoms))
    codes[:n, 0], codes[:count, 1] = 0, 1
    uses = np.bincount(codes[codes != no_atom(n_atoms)], minlength=n_atoms)
    (found,) = together(codes, np.arange(n), uses, 0)
    share = found.low * count / 1000
    as_many = sum(comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(count, n + 1))
    assert 0 < as_many <= ALPHA / n_atoms * (1 + 1e-9)
    divergence = count / n * log(count / n / share) + (
        0 if count == n else (1 - count / n) * log((1 - count / n) / (1 - share))
    )
    assert n * divergence == pytest.approx(log(n_atoms / ALPHA))


def test_an_atom_that_is_never_used_is_with_none(used: np.ndarray) -> None:
    assert together(codes_of(used, 30), np.zeros(0, np.int64), used.sum(0), 6) == ()


def test_where_every_token_uses_nearly_every_atom_no_pair_is_certain(used: np.ndarray) -> None:
    dense = np.random.default_rng(2).random((2000, 20)) < 0.95
    codes, uses = codes_of(dense, 20), dense.sum(0)
    for atom in range(20):
        found = together(codes, np.flatnonzero(dense[:, atom]), uses, atom, None)
        assert len(found) == 19
        assert certain(found) == ()
    rows = np.flatnonzero(used[:, 4])
    assert [one.atom for one in certain(together(codes_of(used, 30), rows, used.sum(0), 4, None))] == [5]


@pytest.mark.parametrize(("count", "n"), [(0, 10), (1, 10), (13, 12254), (39, 40), (40, 40)])
def test_above_the_upper_limit_so_few_are_improbable(count: int, n: int) -> None:
    (share,) = highest_shares(np.array([count]), n, log(40 / ALPHA))
    if count == n:
        assert share == 1
        return
    as_few = sum(comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(count + 1))
    assert count / n < share < 1
    assert 0 < as_few <= ALPHA / 40 * (1 + 1e-9)
