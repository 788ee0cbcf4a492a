"""Bootstrap intervals over documents: against a plain loop, their coverage, and which cells they tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from itda_core import UserError
from itda_core.comparison import jaccard_matrix
from itda_core.comparison.overlap.bootstrap import _drawn
from tests.comparison.label_sets import LabelSet, places_of, set_of


def random_sets(seed: int, documents: int = 60, sets: int = 4, shared: float = 0.5) -> list[LabelSet]:
    """Sets of which the first is followed by others that keep about `shared` of it, document by document."""
    draw = np.random.default_rng(seed)
    first = [(f"d{d}", 0, int(i)) for d in range(documents) for i in draw.choice(50, draw.integers(1, 12), False)]
    found = [first]
    for _ in range(sets - 1):
        share = draw.beta(4 * shared, 4 * (1 - shared), documents)
        moved = draw.random(len(first)) > share[[int(place[0][1:]) for place in first]]
        found.append([(d, 0, i + 100 * int(away)) for (d, _, i), away in zip(first, moved, strict=True)])
    return [set_of(places, f"set {i}") for i, places in enumerate(found)]


def test_intervals_are_those_of_a_plain_loop() -> None:
    sets = random_sets(0, documents=20)
    found = jaccard_matrix(sets, interval=True, resamples=50, seed=7, level=0.8)
    names = list(dict.fromkeys(name for one in sets for name in one.documents))
    drawn = _drawn(len(names), 50, 7)
    assert np.array_equal(drawn.sum(axis=1), np.full(50, len(names)))
    values = np.ones((50, len(sets), len(sets)))
    for r in range(50):
        weight = dict(zip(names, drawn[r].tolist(), strict=True))
        for i, one in enumerate(sets):
            for j, two in enumerate(sets):
                a, b = places_of(one), places_of(two)
                values[r, i, j] = sum(weight[p[0]] for p in a & b) / sum(weight[p[0]] for p in a | b)
    assert found.low is not None
    assert found.high is not None
    assert found.low == pytest.approx(np.quantile(values, 0.1, axis=0), abs=1e-6)
    assert found.high == pytest.approx(np.quantile(values, 0.9, axis=0), abs=1e-6)
    assert found.level == 0.8
    assert np.array_equal(np.diag(found.low), np.ones(len(sets)))
    assert ((found.low <= found.jaccard + 1e-6) & (found.jaccard <= found.high + 1e-6)).all()


def test_an_interval_covers_what_the_population_has() -> None:
    """Of 95 percent intervals of samples of one population, most hold its value (documents of known shares)."""
    truth = random_sets(0, documents=4000, sets=2)
    value = float(jaccard_matrix(truth).jaccard[0, 1])
    draw = np.random.default_rng(1)
    covered = 0
    for _ in range(60):
        names = {f"d{d}" for d in draw.choice(4000, 80, replace=False)}
        part = [one.only(np.array([name in names for name in one.documents[one.document]])) for one in truth]
        found = jaccard_matrix(part, interval=True, resamples=200)
        assert found.low is not None
        assert found.high is not None
        covered += found.low[0, 1] <= value <= found.high[0, 1]
    assert covered >= 51  # 57 expected; fewer than 51 has a probability below 1 in 100


def test_cells_are_told_apart_by_the_same_resamples() -> None:
    """Intervals of two cells may overlap where that of their difference does not hold 0."""
    draw = np.random.default_rng(0)
    first = [(f"d{d}", 0, i) for d in range(100) for i in range(1 if d % 2 else 12)]
    other = {"much": 0.6, "nearly": 0.575, "less": 0.2}
    order = draw.random(len(first))  # a document's share varies, but in all three alike
    share = np.array([0.5 + 0.5 * (int(place[0][1:]) % 3 - 1) for place in first])
    sets = [set_of(first, "first")]
    for name, level in other.items():
        rank = np.argsort(np.argsort(order - share))
        kept = rank < level * len(first)
        sets.append(set_of([place for place, own in zip(first, kept, strict=True) if own], name))
    sets.append(set_of([first[i] for i in np.flatnonzero(order - share <= np.quantile(order - share, 0.6))], "alike"))
    found = jaccard_matrix(sets, interval=True)
    assert found.low is not None
    assert found.high is not None
    assert found.low[0, 1] < found.high[0, 2]  # the two intervals overlap
    assert found.told_apart(0) == [4]
    assert found.told_apart(0, [0, 1, 2, 3]) == []
    assert found.told_apart(0, [3]) == []


def test_bad_levels_and_numbers_of_resamples_are_refused() -> None:
    sets = random_sets(0, documents=5, sets=2)
    with pytest.raises(UserError, match=r"level=1\.5"):
        jaccard_matrix(sets, interval=True, level=1.5)
    with pytest.raises(UserError, match="resamples=1 "):
        jaccard_matrix(sets, interval=True, resamples=1)


def test_the_seed_decides() -> None:
    sets = random_sets(0)
    lows = [jaccard_matrix(sets, interval=True, resamples=30, seed=seed).low for seed in (0, 0, 1)]
    assert np.array_equal(lows[0], lows[1])  # pyright: ignore[reportArgumentType]
    assert not np.array_equal(lows[0], lows[2])  # pyright: ignore[reportArgumentType]
