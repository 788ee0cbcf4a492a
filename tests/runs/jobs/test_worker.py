"""A worker that is asked to stop: what its job's status says then, for every kind of job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from itda_core.analysis import EvaluationProgress
from itda_core.comparison.matching.study import MatchProgress
from itda_core.dictionaries import TrainProgress
from itda_core.files import read_json, write_json
from itda_core.models import ModelSpec
from itda_core.runs import EvaluateRequest, IndexRequest, Interrupted, Job, MatchRequest, TrainRequest, TransferRequest
from itda_core.runs.atoms.mapping import MapProgress, MapRequest
from itda_core.runs.indexing.run import IndexingProgress
from itda_core.runs.jobs.kinds import KINDS, JobRequest, kind_of
from itda_core.runs.jobs.worker import work_for_job
from itda_core.runs.steering.request import SteerRequest
from itda_core.runs.steering.run import SteeringProgress
from itda_core.runs.transfer.run import TransferProgress
from tests.runs.jobs.test_status import MEASURED


def training(tokens: int) -> TrainProgress:
    return TrainProgress(tokens, 100, 2.0, 25.0, 2.0, ())


# What is asked, the progress that work of this kind tells after so many of 100 tokens.
KINDS_OF_WORK: list[tuple[JobRequest, Callable[[int], Any]]] = [
    (TrainRequest(ModelSpec("demo:0"), (0,), "demo"), training),
    (EvaluateRequest(("x",)), lambda n: EvaluationProgress("measuring", n / 100, n, 2.0, 2.0, (), (MEASURED,) * n)),
    (MatchRequest(("demo:0", "demo:1"), "demo"), lambda n: MatchProgress("demo:0", n / 100, n, 2.0)),
    (IndexRequest("x"), lambda n: IndexingProgress("encoding", n / 100, n, 2.0, 2.0)),
    (MapRequest("x"), lambda n: MapProgress("laying out", n / 100, 2.0)),
    (SteerRequest("x", "Add two", ("3:0",)), lambda n: SteeringProgress(n / 100, 2.0, tokens=n, total=100)),
    (TransferRequest(("x",), ModelSpec("demo:0")), lambda n: TransferProgress("measuring", n / 100, 2.0)),
]


def test_every_kind_is_here() -> None:
    assert {kind_of(request).name for request, _ in KINDS_OF_WORK} == set(KINDS)


@pytest.mark.parametrize(("request_", "reached"), KINDS_OF_WORK, ids=lambda value: getattr(value, "COMMAND", ""))
def test_a_cancelled_job_tells_how_far_it_was(
    request_: JobRequest, reached: Callable[[int], Any], tmp_path: Path
) -> None:
    """It is cancelled while it works on its second progress, which its work has then done."""
    kind = kind_of(request_)

    def cancel() -> None:
        write_json(tmp_path / "cancel.json", {"requested": 0, "terminated": None})

    def yielded(request: JobRequest, *, on_step: Callable[[str], None], **more: Any) -> Iterator[Any]:
        yield reached(20)
        cancel()
        yield reached(60)
        if kind.continues:  # it keeps what it has, and ends by itself
            assert more["should_stop"]()
            raise Interrupted(60, 100)
        raise AssertionError("it was asked to stop")

    def told(request: JobRequest, *, on_progress: Callable[[Any], None], **more: Any) -> None:
        on_progress(reached(60))
        cancel()
        if kind.continues:  # it keeps what it has, and ends by itself
            assert more["should_stop"]()
            raise Interrupted(60, 100)
        on_progress(reached(80))

    write_json(Job(tmp_path).folder / "request.json", {"created": "2030", "kind": kind.name, "request": {}})
    with pytest.raises(Interrupted):
        work_for_job(tmp_path, request_, on_step=lambda _: None, instead=yielded if kind.generates else told)
    status = kind.status.from_dict(read_json(tmp_path / "status.json"))
    assert (status.state, status.fraction, status.eta) == ("cancelled", 0.6, None)
    assert len(getattr(status, "results", ())) == (60 if kind.name == "evaluate" else 0)
