from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itda_core.errors import UserError
from itda_core.runs.job_status import MOST_POINTS, Accepted, Curves, JobStatus, LayerStatus
from itda_core.runs.training_run import TrainedDictionary

LAYER = LayerStatus("resid_post", 2, 7, 0.5, 0.1, (3, 7), (0.6, 0.5), (Accepted("dog", "the ", " ran"),))
RESULT = TrainedDictionary("/x", "demo:0", 2, "resid_post", 7, 8, 3, "sequential", 0.3, 100, 1.0, 100.0, 0.25)
STATUS = JobStatus("done", "", 100, 200, 1.5, 66.0, None, (50, 100), (LAYER,), ("a note",), (RESULT,), None)


def test_a_status_survives_json() -> None:
    assert JobStatus.from_dict(json.loads(json.dumps(STATUS.to_dict()))) == STATUS


@pytest.mark.parametrize("change", [{"state": "asleep"}, {"layers": [{}]}, {"results": 3}, {"colour": "red"}])
def test_a_foreign_status_is_refused(change: dict) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        JobStatus.from_dict({**STATUS.to_dict(), **change})


def test_fraction() -> None:
    assert STATUS.fraction == 0.5
    assert JobStatus(tokens=3).fraction is None


@given(st.integers(1, 5000))
def test_curves_stay_short_and_keep_both_ends(n: int) -> None:
    curves = Curves()
    for i in range(1, n + 1):
        curves.add(i * 10, [(i, 1 / i)])
    points = curves.points()
    tokens = [point.tokens for point in points]
    assert len(points) <= MOST_POINTS
    assert (tokens[0], tokens[-1]) == (10, n * 10)
    assert tokens == sorted(set(tokens))
    assert all(point.layers == ((point.tokens // 10, 10 / point.tokens),) for point in points)
    gaps = [b - a for a, b in pairwise(tokens[:-1])]
    assert not gaps or max(gaps) <= 2 * min(gaps)  # evenly spread, but for the newest point


def test_a_resumed_run_replaces_what_came_after_its_checkpoint() -> None:
    curves = Curves(STATUS)
    curves.add(80, [(5, 0.55)])
    assert [(point.tokens, point.layers[0][0]) for point in curves.points()] == [(50, 3), (80, 5)]
