from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itda_core.analysis import Evaluation, EvaluationProgress
from itda_core.errors import UserError
from itda_core.runs.evaluation.status import EvaluationStatus
from itda_core.runs.jobs.status import JobStatus
from itda_core.runs.training.run import TrainedDictionary
from itda_core.runs.training.status import MOST_POINTS, Accepted, Curves, LayerStatus, TrainingStatus

LAYER = LayerStatus("resid_post", 2, 7, 0.5, 0.1, (3, 7), (0.6, 0.5), (Accepted("dog", "the ", " ran"),))
RESULT = TrainedDictionary("/x", "demo:0", 2, "resid_post", 7, 8, 3, "sequential", 0.3, 100, 1.0, 100.0, 0.25)
STATUS = TrainingStatus(
    "done",
    "",
    100,
    200,
    1.5,
    None,
    ("a note",),
    None,
    66.0,
    series_tokens=(50, 100),
    layers=(LAYER,),
    results=(RESULT,),
)
MEASURED = Evaluation(
    "/library/x", 8, "mp", 100, 0.2, 0.1, 0.9, 7.5, 0.25, 3.0, 3.1, 9.0, 0.98, 0.1, "held-out", "demo", "demo:0", 2,
    "resid_post", 64,
)  # fmt: skip
EVALUATED = EvaluationStatus("running", "measuring", 100, None, 2.0, 3.0, ("a note",), share=0.5, results=(MEASURED,))


@pytest.mark.parametrize("status", [STATUS, EVALUATED])
def test_a_status_survives_json(status: JobStatus) -> None:
    assert type(status).from_dict(json.loads(json.dumps(status.to_dict()))) == status


def test_a_figure_that_is_infinite_is_no_reason_to_fail() -> None:
    status = replace(EVALUATED, results=(replace(MEASURED, ce_reconstructed=float("inf"), kl=float("nan")),))
    read = EvaluationStatus.from_dict(json.loads(json.dumps(status.to_dict(), allow_nan=False)))
    assert (read.results[0].ce_reconstructed, read.results[0].kl) == (None, None)


def test_an_evaluation_is_as_far_as_its_progress_says() -> None:
    progress = EvaluationProgress(
        "measuring", 0.75, 150, 6.0, 2.0, ("first", "second"), (replace(MEASURED, tokens=150),)
    )
    status = EVALUATED.at(progress)
    assert (status.fraction, status.tokens, status.eta, status.notes) == (0.75, 150, 2.0, ("first", "second"))
    assert status.results == progress.results
    assert status.state == "running"


@pytest.mark.parametrize(
    ("status", "change"),
    [
        *((STATUS, change) for change in ({"state": "asleep"}, {"layers": [{}]}, {"results": 3}, {"colour": "red"})),
        *((EVALUATED, change) for change in ({"state": "asleep"}, {"results": [{}]}, {"results": 3}, {"layers": []})),
    ],
)
def test_a_foreign_status_is_refused(status: JobStatus, change: dict) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        type(status).from_dict({**status.to_dict(), **change})


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
