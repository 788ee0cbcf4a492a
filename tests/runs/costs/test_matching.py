"""What a study of layer matching is expected to take, by the measures that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from itda_core.comparison.measures.table import MEASURES, TABLE
from itda_core.runs import MatchRequest
from itda_core.runs.costs import matching
from itda_core.runs.costs.matching import estimate_match
from itda_core.runs.costs.model_figures import model_figures
from itda_core.runs.matching.request import DICTIONARIES

TOKENS, LAYERS, ANCHORS = 1000, (1, 2, 4), 100
REQUEST = MatchRequest(
    ("demo:0", "demo:1"), "demo", replace(DICTIONARIES, tokens=TOKENS, k=8), layers=LAYERS, anchors=ANCHORS
)


@pytest.fixture(autouse=True)
def one_operation_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds are operations."""
    monkeypatch.setattr(matching, "operations_per_second", lambda *_: (0.5, 1.0))


def operations(*measures: str) -> float:
    found = estimate_match(replace(REQUEST, measures=measures))
    assert found is not None
    assert found[1] == 2 * found[0]
    return found[0]


def counted(measures: Sequence[str]) -> float:
    """The same in a plain sum over both models: each has three sites of width 128."""
    total, wide, sites = 0.0, 2 * 3 * 128, 6
    for spec in REQUEST.specs():
        figures = model_figures(spec)
        assert figures is not None
        assert figures.d_model == 128
        total += TOKENS * 2 * figures.parameters
        if {"itda", "itda_codes"} & set(measures):
            total += TOKENS * 3 * 2 * 1000 * (128 + 8)
    if {"linear_cka", "svcca", "linear_regression"} & set(measures):
        total += TOKENS * 2 * wide * wide
    for measure in measures:
        if measure in ("itda_codes", "relative"):
            total += TOKENS * 2 * ANCHORS * (wide + sites * sites)
        if measure in ("svcca", "linear_regression"):
            total += 21 * 20 * 128**3  # pairs of sites, each with itself as well
    return total


@pytest.mark.parametrize("measures", [*((name,) for name in MEASURES), ("itda", "relative"), MEASURES])
def test_only_what_the_chosen_measures_need_is_counted(measures: tuple[str, ...]) -> None:
    assert operations(*measures) == pytest.approx(counted(measures))


def test_a_measure_that_the_table_gains_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, both = operations("relative"), operations("relative", "itda_codes")
    monkeypatch.setattr(matching, "TABLE", tuple(replace(one, anchored=one.name != "itda") for one in TABLE))
    assert operations("relative") == alone
    assert operations("relative", "linear_cka") - operations("relative") == pytest.approx(
        TOKENS * 2 * (6 * 128) ** 2 + TOKENS * 2 * ANCHORS * (6 * 128 + 36)
    )
    assert operations("relative", "itda_codes") == both
