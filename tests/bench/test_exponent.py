"""The fit of an exponent: exact on power laws, and NumPy's on anything else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itda_core.bench.exponent import exponent

SIZES = st.lists(st.integers(1, 100_000), min_size=2, max_size=8, unique=True)


@given(SIZES, st.floats(-3, 3), st.floats(1e-6, 1e3))
def test_a_power_law_gives_its_exponent(sizes: list[int], power: float, factor: float) -> None:
    assert exponent([(size, factor * size**power) for size in sizes]) == pytest.approx(power, abs=1e-6)


@given(SIZES, st.randoms(use_true_random=False))
def test_otherwise_it_is_the_slope_of_least_squares(sizes: list[int], random) -> None:
    points = [(size, random.uniform(0.1, 10.0)) for size in sizes]
    logs = np.log(np.array(points))
    slope = np.polyfit(logs[:, 0], logs[:, 1], 1)[0]
    assert exponent(points) == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_one_size_has_no_exponent() -> None:
    with pytest.raises(ValueError, match="two different sizes"):
        exponent([(8, 1.0), (8, 2.0)])
