"""Figures as people read them: a zero has no sign, in Python as in what other programs write."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itda_core.figures_as_text import figure, no_minus_zero, points_apart, signed, three_figures
from tests import house

FORMS = (".3f", "+.2f", ".1%", ".0%", ",.0f", "+.1f", ".4g")


@pytest.mark.parametrize(
    ("value", "form", "written"),
    [
        (-0.004, "+.2f", "0.00"),
        (0.004, "+.2f", "0.00"),
        (-0.0, ".3f", "0.000"),
        (-0.0004, ".0%", "0%"),
        (-0.2, ",.0f", "0"),
        (-0.0, ".4g", "0"),
        (-0.006, "+.2f", "-0.01"),
        (1.5, "+.2f", "+1.50"),
        (-1234.5, ",.0f", "-1,234"),
        (-10, ".0f", "-10"),
        (-1e-9, ".4g", "-1e-09"),
        (math.nan, ".3f", "nan"),
        (-math.inf, ".3f", "-inf"),
    ],
)
def test_what_is_rounded_to_zero_has_no_sign(value: float, form: str, written: str) -> None:
    assert figure(value, form) == written


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.sampled_from(FORMS))
def test_nothing_else_changes(value: float, form: str) -> None:
    plain = format(value, form)
    zero = float(plain.replace(",", "").rstrip("%")) == 0
    assert figure(value, form) == (plain.lstrip("+-") if zero else plain)


def test_the_minus_of_a_signed_figure_is_as_wide_as_the_plus() -> None:
    assert [signed(value) for value in (-1.25, 1.25, -0.001)] == ["−1.25", "+1.25", "0.00"]


def test_tables_hold_no_figure_that_is_written_as_minus_zero() -> None:
    frame = pd.DataFrame({"x": [-0.00001, -0.2, None], "n": [-1, 0, 1], "name": ["-0", "a", "b"]})
    found = no_minus_zero(frame, 4)
    assert [format(x, ".4f") for x in found["x"]] == ["0.0000", "-0.2000", "nan"]
    assert list(found["n"]) == [-1, 0, 1]
    assert list(found["name"]) == ["-0", "a", "b"]
    assert next(iter(frame["x"])) == -0.00001


def test_no_figure_with_a_sign_goes_round_this_way() -> None:
    wild = [
        f"{path.relative_to(house.ROOT)}: {line.strip()}"
        for path in house.files()
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\{[^{}%]*:\+[.,0-9]*[f%]\}", line)
    ]
    assert wild == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(14.84, "14.8"), (107.04, "107"), (999.4, "999"), (999.6, "1,000"), (12345.6, "12,346"), (0.0123, "0.0123")],
)
def test_three_figures_without_a_power_of_ten(value: float, text: str) -> None:
    assert three_figures(value) == text


def test_what_probabilities_differ_by_is_in_percentage_points() -> None:
    assert [points_apart(*pair) for pair in ((0.372, 0.679), (0.5, 0.25), (0.5, 0.5002), (0.5, 0.4998))] == [
        "+30.7 pp",
        "−25.0 pp",
        "0.0 pp",
        "0.0 pp",
    ]
