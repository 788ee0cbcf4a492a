"""Growth: the exponents of given points, and which sizes are left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from itda_core.bench.pursuit.cases import QUICK
from itda_core.bench.pursuit.growth import curve_through, measure_growth
from itda_core.bench.pursuit.results import GrowthPoint


def test_a_fixed_product_hides_linear_steps_and_they_are_shown_apart() -> None:
    curve = curve_through([GrowthPoint(k, 3.0 + 0.5 * k, 3.0) for k in (10, 20, 40)])
    assert curve.steps_exponent == pytest.approx(1.0)
    assert curve.exponent is not None
    assert 0.5 < curve.exponent < 1


def test_nothing_beyond_the_product_has_no_exponent() -> None:
    curve = curve_through([GrowthPoint(1, 1.0, 1.5), GrowthPoint(2, 2.0, 1.5)])
    assert (curve.exponent, curve.steps_exponent) == (pytest.approx(1.0), None)
    assert curve_through([GrowthPoint(1, 1.0, 0.5)]).exponent is None


def test_sizes_that_do_not_fit_are_left_out() -> None:
    growth = replace(QUICK.growth, atoms=(64, 128, 100_000))
    steps: list[str] = []
    result = measure_growth(growth, repeats=2, inputs=2, device="cpu", free_bytes=2**30, on_step=steps.append)
    assert [point.size for point in result.atoms.points] == [64, 128]
    assert [point.size for point in result.tokens.points] == list(growth.tokens)
    assert all(p.seconds > 0 for curve in (result.tokens, result.k, result.atoms) for p in curve.points)
    assert steps == ["growth with tokens", "growth with k", "growth with atoms"]
