"""The threshold that ends with a wanted number of atoms, on rules whose counts are known in advance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itda_core.bench.training.reach import ENOUGH, MOST_TRIALS, Trial, reaching
from itda_core.errors import UserError


@given(st.integers(10, 500), st.floats(0.02, 0.9))
def test_the_dictionary_is_full_close_to_the_last_token(atoms: int, fills_at: float) -> None:
    """A rule that takes atoms evenly, the fewer the higher the threshold, and exactly `atoms` at `fills_at`."""
    tokens = 100_000
    seen: list[float] = []

    def grow(threshold: float) -> Trial:
        seen.append(threshold)
        whole = atoms * fills_at / threshold  # of all tokens, without a limit
        return Trial(atoms, round(tokens * atoms / whole)) if whole >= atoms else Trial(int(whole), tokens)

    reached = reaching(grow, atoms, tokens)
    assert reached.threshold <= fills_at
    assert grow(reached.threshold).tokens >= ENOUGH * tokens
    assert reached.trials == len(seen) - 1 <= MOST_TRIALS


def test_a_rule_that_jumps_ends_with_the_highest_threshold_that_fills() -> None:
    reached = reaching(lambda threshold: Trial(10, 50) if threshold < 0.4 else Trial(3, 1000), 10, 1000)
    assert reached == (pytest.approx(0.4, abs=2**-MOST_TRIALS), MOST_TRIALS)
    assert reached.threshold < 0.4


def test_too_few_different_activations_are_an_error() -> None:
    with pytest.raises(UserError, match="No threshold gives 10 atoms from 1000 tokens"):
        reaching(lambda _: Trial(9, 1000), 10, 1000)
