"""Which atoms are folded away."""

from __future__ import annotations

from itda_core.analysis.decompose import AtomUse
from itda_core.analysis.small_shares import small_shares


def uses(*percent: int) -> list[AtomUse]:
    return [AtomUse(atom, share, share / 100, "t", "", "", "d", 0, 1) for atom, share in enumerate(percent)]


def test_small_ones_beyond_the_first_three() -> None:
    assert small_shares(uses(50, 20, 10, 8, 4, 4, 4)) == {4, 5, 6}
    assert small_shares(uses(88, 3, 3, 3, 3)) == {3, 4}
    assert small_shares(uses(50, 30, 20)) == set()
    assert small_shares([]) == set()


def test_exactly_a_twentieth_is_not_small() -> None:
    assert small_shares(uses(50, 20, 10, 5, 5, 5, 5)) == set()


def test_the_pinned_one_is_always_shown() -> None:
    assert small_shares(uses(50, 20, 10, 8, 4, 4, 4), pinned=5) == {4, 6}


def test_the_line_that_says_so_never_stands_for_one_atom() -> None:
    assert small_shares(uses(50, 20, 10, 8, 8, 4)) == set()
