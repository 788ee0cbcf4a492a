"""Evaluations as jobs: figures as they come, a cancel, a kill, another start, and one real worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from itda_core.errors import UserError
from itda_core.files import write_json
from itda_core.runs import EVALUATION, TRAINING, EvaluateRequest, EvaluationStatus, Job, Jobs, measure
from itda_core.runs.jobs.reporter import Reporter
from itda_core.runs.jobs.worker import work_for_job
from itda_core.runs.training.run import Interrupted
from tests.runs.workers import wait_for

ENDLESS = 10**8  # tokens; the text's end is far off
KEPT = ("request.json", "status.json", "log.txt")


@pytest.fixture
def short(trained: Path, corpus_file: Path) -> EvaluateRequest:
    return EvaluateRequest((str(trained),), str(corpus_file), (2, 4), ("mp", "omp"), tokens=60, device="cpu")


@pytest.fixture
def long(short: EvaluateRequest, tmp_path: Path) -> EvaluateRequest:
    """Minutes of work."""
    text = tmp_path / "long.txt"
    text.write_text(Path(short.corpus or "").read_text() * 20)
    return replace(short, corpus=str(text), tokens=ENDLESS)


def test_a_job_from_start_to_end_with_a_cancel_and_a_kill(
    jobs_: Jobs,
    long: EvaluateRequest,
    worker_here: Callable[[Job], tuple[int, str, str]],
    on_report: Callable[[Callable[[EvaluationStatus], object]], None],
) -> None:
    """The worker is this process; test_jobs has real ones."""
    job = jobs_.start(long)
    assert [other.id for other in jobs_.list(EVALUATION)] == [other.id for other in jobs_.list()] == [job.id]
    assert jobs_.list(TRAINING) == []
    assert jobs_.get(job.id, EVALUATION).request == long
    seen: list[EvaluationStatus] = []

    def look(status: EvaluationStatus) -> None:
        if status.ended or len(status.results) < 4:
            return
        seen.append(job.status)
        with pytest.raises(UserError, match="running"):
            job.remove()
        if status.results[0].tokens > seen[0].results[0].tokens:
            job.cancel()

    # Figures come while it runs, and become those of more text.
    on_report(look)
    code, out, err = worker_here(job)
    assert (code, out) == (130, "")
    assert len(seen) >= 2
    status = seen[0]
    assert status.state == "running"
    assert [(result.k, result.method) for result in status.results] == [
        (2, "mp"), (2, "omp"), (4, "mp"), (4, "omp"),
    ]  # fmt: skip
    assert 0 < (status.fraction or 0) < 1
    status = job.status
    assert (status.state, status.error, status.resumable) == ("cancelled", None, True)
    assert len(status.results) == 4
    assert "Interrupted" in err
    assert "Traceback" not in err

    job.resume()
    assert job.status.results == ()  # from the beginning
    left: dict[str, bytes] = {}

    def leave(status: EvaluationStatus) -> None:
        if len(status.results) > 0 and not status.ended:
            left.update({path.name: path.read_bytes() for path in job.folder.glob("*.json")})
            job.cancel()

    # What one that is killed leaves behind: the folder as it was, and the number of a process that is gone.
    on_report(leave)
    assert worker_here(job)[0] == 130
    (job.folder / "cancel.json").unlink()
    for name, content in left.items():
        (job.folder / name).write_bytes(content)
    noted = json.loads(left["process.json"])
    write_json(job.folder / "process.json", {**noted, "started": noted["started"] - 100})
    status = job.status
    assert (status.state, status.resumable) == ("lost", True)
    assert "start it again" in str(status.error)
    assert "checkpoint" not in str(status.error)
    assert {path.name for path in job.folder.iterdir()} >= set(KEPT)
    job.remove()
    assert jobs_.list() == []


def test_the_results_are_those_of_the_command_line_and_stay(jobs_: Jobs, short: EvaluateRequest) -> None:
    job = jobs_.start(short)
    status = wait_for(job, lambda status: status.ended)
    assert (status.state, status.error, status.fraction) == ("done", None, 1)
    *_, last = measure(short)
    assert last.done
    kept = json.loads((job.folder / "status.json").read_text())["results"]
    for one, two in zip(kept, last.results, strict=True):
        assert one == pytest.approx(two.to_dict(), abs=1e-5)  # float32 sums of another process, with other threads
    assert Jobs().get(job.id, EVALUATION).status.results == status.results
    with pytest.raises(UserError, match="done"):
        job.resume()


def made_evaluation(jobs_: Jobs, request: EvaluateRequest) -> Path:
    folder = jobs_.folder / "20300101-000000-000000-abcd"
    order = {"created": "2030-01-01T00:00:00+00:00", "kind": "evaluate", "request": request.to_dict()}
    write_json(folder / "request.json", order)
    write_json(folder / "status.json", EvaluationStatus().to_dict())
    return folder


def test_a_cancel_is_heard_while_the_text_is_being_found(
    jobs_: Jobs, short: EvaluateRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process: the text that the dictionary was built from is passed over, one window a look."""
    monkeypatch.setattr("itda_core.analysis.evaluation_text._SECONDS_BETWEEN_COUNTS", 0.0)
    monkeypatch.setattr("itda_core.runs.jobs.reporter._SECONDS_BETWEEN_WRITES", 0.0)
    folder = made_evaluation(jobs_, short)
    steps: list[str] = []
    report = Reporter.report

    def cancelling(self: Reporter, status: EvaluationStatus, *, soon: bool = True) -> None:
        report(self, status, soon=soon)
        steps.append(status.step)
        if "skipping the text" in status.step:
            write_json(folder / "cancel.json", {"requested": 0, "terminated": None})

    monkeypatch.setattr(Reporter, "report", cancelling)
    with pytest.raises(Interrupted):
        work_for_job(folder, short, on_step=lambda _: None)
    assert sum("skipping the text" in step for step in steps) == 1
    assert Jobs().get(folder.name, EVALUATION).status.state == "cancelled"


def test_a_job_that_cannot_start_says_why(jobs_: Jobs, short: EvaluateRequest) -> None:
    with pytest.raises(UserError, match="No dictionary is called 'nothing-such'"):
        jobs_.start(replace(short, dictionaries=("nothing-such",)))
    assert jobs_.list() == []
    folder = made_evaluation(jobs_, short)
    with pytest.raises(UserError, match="/no/such"):
        work_for_job(folder, replace(short, corpus="/no/such.txt"), on_step=lambda _: None)
    status = jobs_.get(folder.name, EVALUATION).status
    assert status.state == "failed"
    assert "/no/such.txt does not exist" in str(status.error)


def test_a_job_of_another_kind_is_named(jobs_: Jobs, short: EvaluateRequest) -> None:
    folder = made_evaluation(jobs_, short)
    with pytest.raises(UserError, match=r"another kind \(evaluation, not training\)"):
        jobs_.get(folder.name, TRAINING)
    write_json(folder / "request.json", {"created": "2030", "kind": "holiday", "request": {}})
    assert jobs_.list() == []
