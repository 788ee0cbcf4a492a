"""The predicted size, on curves whose law is known, and what it does where there is none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itda_core.dictionaries import TrainConfig, train
from itda_core.dictionaries.growing.predicted_size import FEWEST_TOKENS, MOST_POINTS, GrowthCurve, extrapolate
from tests.dictionaries.fake_model import FakeModel, fake_corpus


def curve(law, until: int, step: int = 1000) -> GrowthCurve:
    grown = GrowthCurve()
    for tokens in range(step, until + 1, step):
        grown.add(tokens, round(law(tokens)))
    return grown


@settings(deadline=None)
@given(st.floats(0.6, 1.0), st.floats(0.7, 1), st.sampled_from([20_000, 60_000, 150_000]), st.floats(1.1, 8))
def test_a_power_law_is_found(power: float, factor: float, now: int, ahead: float) -> None:
    def law(tokens: float) -> float:
        return factor * tokens**power

    total = int(now * ahead)
    predicted = curve(law, now).predict(total)
    assert predicted is not None
    assert predicted == pytest.approx(law(total), rel=0.08)


def test_a_logarithm_is_nearly_found() -> None:
    def law(tokens: float) -> float:
        return 500 * math.log1p(tokens / 2000)

    predicted = curve(law, 50_000).predict(100_000)
    assert predicted == pytest.approx(law(100_000), rel=0.03)


def test_a_dictionary_that_has_stopped_growing_stays() -> None:
    grown = curve(lambda tokens: min(tokens / 10, 400), 80_000)
    assert grown.predict(160_000) == pytest.approx(400, abs=3)
    nothing = curve(lambda _: 0, 50_000).predict(100_000)
    assert nothing is not None
    assert nothing <= 3


def test_never_more_than_wanted_or_possible() -> None:
    grown = curve(lambda tokens: tokens / 2, 10_000)
    assert grown.predict(20_000) == pytest.approx(10_000, rel=0.01)
    assert grown.predict(20_000, most=6000) == 6000
    assert grown.predict(None, most=5000) == 5000  # it is there
    assert grown.predict(None, most=6000) is None
    every = curve(lambda tokens: tokens, 10_000).predict(12_000)
    assert every == pytest.approx(12_000, abs=1)
    assert every is not None
    assert every <= 12_000


def test_nothing_is_said_too_early() -> None:
    assert GrowthCurve().predict(1000) is None
    assert curve(lambda tokens: tokens / 2, FEWEST_TOKENS - 100, step=100).predict(10_000) is None
    assert curve(lambda tokens: tokens / 2, 9000, step=3000).predict(50_000) is None  # three points are no curve
    assert curve(lambda tokens: tokens / 2, 9000).predict(9000) == 4500


def test_another_threshold_begins_another_law() -> None:
    grown = curve(lambda tokens: 4 * tokens**0.5, 40_000)
    before = round(4 * 40_000**0.5)
    grown.restart()
    assert grown.predict(80_000) is None
    for tokens in range(1000, 20_001, 1000):
        grown.add(40_000 + tokens, before + round(3 * tokens**0.7))
    assert grown.predict(80_000) == pytest.approx(before + 3 * 40_000**0.7, rel=0.03)


def test_the_curve_stays_short_and_keeps_its_shape() -> None:
    def law(tokens: float) -> float:
        return 2 * tokens**0.6

    grown = curve(law, 3_000_000)
    points = grown.points_until(3_000_000)
    assert len(points) <= MOST_POINTS
    assert points[0] == (0, 0)
    assert points[-1] == (3_000_000, round(law(3_000_000)))
    assert sum(tokens > 3_000_000 / 8 for tokens, _ in points) >= 12
    assert grown.predict(6_000_000) == pytest.approx(law(6_000_000), rel=0.05)
    assert GrowthCurve(points).predict(6_000_000) == grown.predict(6_000_000)
    assert grown.points_until(2999) == [point for point in points if point[0] <= 2000]


def test_extrapolation_counts_from_where_the_law_begins() -> None:
    shifted = [(1000 * i + 7000, 50 * i + 300) for i in range(30)]
    assert extrapolate(shifted, 56_000) == pytest.approx(300 + 50 * 49, rel=0.01)


def test_a_training_tells_it_once_it_can() -> None:
    model, corpus = FakeModel(), fake_corpus(documents=400)
    events = list(train(model, corpus, [1], TrainConfig(k=4, threshold=0.15, context=12, tokens=8000)))
    predictions = [event.layers[0].predicted_atoms for event in events]
    assert predictions[0] is None
    assert predictions[-1] == predictions[-2] == len(events[-1].dictionaries[0])
    half = predictions[len(predictions) // 2]
    assert half == pytest.approx(predictions[-1], rel=0.15)
    events = list(train(model, corpus, [1], TrainConfig(k=4, threshold=0.15, context=12, tokens=8000, atoms=50)))
    assert {event.layers[0].predicted_atoms for event in events} <= {None, 50}
    assert {
        e.layers[0].predicted_atoms for e in list(train(model, corpus, [1], TrainConfig(k=4, context=12)))[:-1]
    } == {None}
