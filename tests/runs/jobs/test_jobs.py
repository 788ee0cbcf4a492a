"""Jobs with real workers: processes of their own that report, stop, are killed, and go on."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from itda_core.dictionaries import AtomDictionary, TrainConfig
from itda_core.errors import UserError
from itda_core.files import write_json
from itda_core.models import ModelSpec
from itda_core.runs import EvaluateRequest, Interrupted, Job, Jobs, JobStatus, TrainingStatus, TrainRequest, run
from itda_core.runs.jobs import jobs
from itda_core.runs.jobs.worker import work_for_job
from itda_core.runs.training.run import NOTHING_FINISHED
from tests.runs.samples import write_corpus
from tests.runs.workers import process_of, wait_for


@pytest.fixture
def request_(tiny_folder: Path, tmp_path: Path) -> TrainRequest:
    corpus = write_corpus(tmp_path / "long.txt", documents=300)
    return TrainRequest(
        ModelSpec(str(tiny_folder), device="cpu"), (0, 3), str(corpus), TrainConfig(k=4, tokens=6000, context=64)
    )


@pytest.mark.usefixtures("one_thread")
def test_a_job_from_start_to_end_with_a_cancel_and_a_kill(
    jobs_: Jobs,
    request_: TrainRequest,
    hold: Callable[[int], None],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    hold(2000)
    job = jobs_.start(request_)
    assert job.status.state == "starting"
    assert [other.id for other in jobs_.list()] == [job.id]
    assert jobs_.get(job.id).request == request_.resolved()

    status = wait_for(job, lambda status: status.tokens >= 2000)
    assert len(status.series_tokens) > 0
    assert status.state == "running"
    worker = process_of(job)
    assert worker is not None
    assert os.getsid(worker.pid) == worker.pid != os.getsid(0)
    with pytest.raises(UserError, match="running"):
        job.remove()
    with pytest.raises(UserError, match="running"):
        job.resume()

    worker.suspend()
    job.cancel()  # returns without waiting for a worker that does not listen
    assert (job.cancelling, job.status.state) == (True, "running")
    worker.resume()
    status = wait_for(job, lambda status: status.ended)
    assert (status.state, status.error, status.resumable) == ("cancelled", None, True)
    assert 0 < status.tokens < 6000
    assert status.total == 6000
    assert [layer.layer for layer in status.layers] == [0, 3]
    for layer in status.layers:
        assert layer.series_atoms[-1] == layer.atoms
        assert len(layer.series_atoms) == len(layer.series_relative_error) == len(status.series_tokens)
        assert list(layer.series_atoms) == sorted(layer.series_atoms)
        assert all(0 <= error <= 1 for error in layer.series_relative_error)
        assert layer.latest
        text = Path(request_.corpus).read_text()
        assert all(label.context_before + label.token + label.context_after in text for label in layer.latest)
    wait_for(job, lambda _: "go on from there" in job.log)
    cancelled_at = status.tokens

    hold(4000)
    job.resume()
    status = wait_for(job, lambda status: status.tokens >= 4000)
    assert status.tokens > cancelled_at
    assert status.series_tokens[0] < cancelled_at
    worker = process_of(job)
    assert worker is not None
    worker.kill()
    status = wait_for(job, lambda status: status.ended)
    assert (status.state, status.resumable) == ("lost", True)
    assert status.error is not None

    # The last worker is this process.
    worker_here: Callable[[Job], tuple[int, str, str]] = request.getfixturevalue("worker_here")
    job.resume()
    assert worker_here(job)[0] == 0
    status = Jobs().get(job.id).status
    assert (status.state, status.error, status.resumable) == ("done", None, False)
    assert status.tokens == 6000
    assert status.fraction == 1
    assert list(status.series_tokens) == sorted(set(status.series_tokens))
    assert not (job.folder / "work").exists()
    with pytest.raises(UserError, match="done"):
        job.resume()

    undisturbed = run(replace(request_, library=str(tmp_path / "other")))
    assert len(undisturbed) == 2
    for one, two in zip(status.results, undisturbed, strict=True):
        first, second = AtomDictionary.load(one.path), AtomDictionary.load(two.path)
        assert torch.equal(first.atoms, second.atoms)
        assert first.provenance.equals(second.provenance)
    job.remove()
    assert jobs_.list() == []
    assert list(jobs_.folder.iterdir()) == []
    assert len(AtomDictionary.load(status.results[0].path)) > 0


def test_a_job_that_fails_says_why(jobs_: Jobs, request_: TrainRequest) -> None:
    job = jobs_.start(replace(request_, corpus="/no/such/corpus.txt"))
    status = wait_for(job, lambda status: status.ended)
    assert status.state == "failed"
    assert "/no/such/corpus.txt does not exist" in str(status.error)
    wait_for(job, lambda _: job.log.startswith("error: "))
    assert "Traceback" not in job.log
    later = made_job(jobs_, request_, TrainingStatus(state="done"), None)
    assert [job.id for job in jobs_.list()] == [later.id, job.id]


def test_a_job_goes_further_than_a_finished_training(
    jobs_: Jobs, request_: TrainRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(replace(request_, config=replace(request_.config, tokens=2000)))
    launched: list[bool] = []
    monkeypatch.setattr(Job, "launch", lambda _, *, resume: launched.append(resume))
    job = jobs_.start(request_, further=True)
    assert (launched, job.further, job.command) == ([False], True, f"{request_.resolved().command()} --resume")

    def work(resume: bool, stop_after: int) -> None:
        """What the worker that was launched does, here in this process."""
        asked = iter(range(stop_after))
        work_for_job(
            job.folder,
            job.request,
            resume=resume,
            should_stop=lambda: next(asked, None) is None,
            on_step=lambda _: None,
        )

    with pytest.raises(Interrupted):
        work(False, 1)
    status = job.status
    assert (status.state, status.resumable) == ("cancelled", True)
    assert 2000 < status.tokens < 6000
    names = ", ".join(Path(result.path).name for result in first)
    assert status.notes == (f"Going on from {names}, 2,000 tokens into the training.",)
    work(True, 10_000)
    status = job.status
    assert (status.state, status.tokens) == ("done", 6000)
    undisturbed = run(replace(request_, library=str(tmp_path / "other")))
    for one, two, before in zip(status.results, undisturbed, first, strict=True):
        longer, alone, short = (AtomDictionary.load(result.path) for result in (one, two, before))
        assert torch.equal(longer.atoms, alone.atoms)
        assert longer.provenance.equals(alone.provenance)
        assert torch.equal(short.atoms, alone.atoms[: len(short)])
        assert [stage["tokens_read"] for stage in longer.stats["stages"]] == [2000, 4000]

    again = jobs_.start(request_, further=True)
    work_for_job(again.folder, again.request, resume=False, should_stop=lambda: False, on_step=lambda _: None)
    assert again.status.results == status.results
    assert again.status.notes == ("This training has ended already; its dictionaries are in the library.",)


def test_a_job_with_nothing_to_go_on_from_fails_rather_than_begin(
    jobs_: Jobs, request_: TrainRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Job, "launch", lambda _, *, resume: None)
    job = jobs_.start(request_, further=True)
    for resume in (False, True):
        with pytest.raises(UserError, match="No dictionaries in the library lead to this training"):
            work_for_job(job.folder, job.request, resume=resume, should_stop=lambda: False, on_step=lambda _: None)
        assert (job.status.state, job.status.error) == ("failed", NOTHING_FINISHED)
    with pytest.raises(UserError, match="Only a training can go further; start a new evaluation"):
        jobs_.start(EvaluateRequest(("demo-0-L2",)), further=True)


def made_job(jobs_: Jobs, request_: TrainRequest, status: JobStatus, process: dict | None) -> Job:
    """A job's folder as a worker would have left it."""
    folder = jobs_.folder / "99990101-000000-000000-abcd"
    write_json(folder / "request.json", {"created": "2030-01-01T00:00:00+00:00", "request": request_.to_dict()})
    write_json(folder / "status.json", status.to_dict())
    if process is not None:
        write_json(folder / "process.json", process)
    return jobs_.get(folder.name)


def test_another_process_with_the_same_number_is_not_the_worker(jobs_: Jobs, request_: TrainRequest) -> None:
    me = psutil.Process()
    running = TrainingStatus(state="running", tokens=5)
    job = made_job(jobs_, request_, running, {"pid": me.pid, "started": me.create_time()})
    assert job.state == "running"
    write_json(job.folder / "process.json", {"pid": me.pid, "started": me.create_time() - 100})
    assert job.state == "lost"
    assert job.status.tokens == 5
    job.cancel()
    assert not job.cancelling


def test_a_worker_that_never_came_up_is_lost_in_the_end(
    jobs_: Jobs, request_: TrainRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = made_job(jobs_, request_, TrainingStatus(), None)
    assert job.state == "starting"
    long_ago = time.time() - 3600
    os.utime(job.folder / "status.json", (long_ago, long_ago))
    assert job.state == "lost"


def test_a_cancelled_worker_that_does_not_listen_is_pressed(
    jobs_: Jobs, request_: TrainRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "killpg", lambda pid, number: sent.append((pid, number)))
    me = psutil.Process()
    job = made_job(jobs_, request_, TrainingStatus(state="running"), {"pid": me.pid, "started": me.create_time()})
    job.cancel()
    assert job.state == "running"
    assert sent == []
    for ago in (jobs.TERMINATE_AFTER + 1, jobs.TERMINATE_AFTER + 5, jobs.KILL_AFTER + 1):
        cancel = json.loads((job.folder / "cancel.json").read_text())
        write_json(job.folder / "cancel.json", {**cancel, "requested": time.time() - ago})
        assert job.state == "running"
    assert sent == [(me.pid, signal.SIGTERM), (me.pid, signal.SIGKILL)]
    write_json(job.folder / "process.json", {"pid": me.pid, "started": me.create_time() - 100})
    assert job.state == "cancelled"


def test_damaged_and_foreign_folders_do_not_break_the_list(jobs_: Jobs, request_: TrainRequest) -> None:
    job = made_job(jobs_, request_, TrainingStatus(state="done"), None)
    (job.folder / "status.json").write_text("{")
    (jobs_.folder / "holiday").mkdir()
    (jobs_.folder / "20300101-000000-000001-abcd").mkdir()
    write_json(jobs_.folder / "20300101-000000-000002-abcd" / "request.json", ["foreign"])
    write_json(jobs_.folder / "20300101-000000-000003-abcd" / "request.json", {"created": "2030", "request": {"x": 1}})
    assert [(job.id, job.state) for job in jobs_.list()] == [(job.id, "damaged")]
    broken = [f"20300101-000000-00000{number}-abcd" for number in (3, 2, 1)]
    assert [job.id for job in jobs_.damaged()] == broken
    for id in broken:
        with pytest.raises(UserError, match=f"Job {id} is damaged: .*; remove it"):
            jobs_.get(id)
    for unknown in ("", "..", "../library", "20300101-000000-000009-abcd", "x" * 300):
        with pytest.raises(UserError, match="no job"):
            jobs_.get(unknown)
    for id in (*broken, job.id):
        jobs_.remove(id)
    assert [path.name for path in jobs_.folder.iterdir()] == ["holiday"]


@pytest.mark.parametrize("pid", [-1, 0, 1, 2**31, 10**30, "1", None, True])
def test_a_number_that_is_no_process_of_its_own_is_never_signalled(
    jobs_: Jobs, request_: TrainRequest, pid: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []
    for name in ("kill", "killpg"):
        monkeypatch.setattr(os, name, lambda *given: sent.append(given))
    started = psutil.Process(1).create_time()
    job = made_job(jobs_, request_, TrainingStatus(state="running"), {"pid": pid, "started": started})
    write_json(job.folder / "cancel.json", {"requested": 0, "terminated": None})
    try:
        assert (job.state, sent) == ("cancelled", [])
    finally:
        (job.folder / "process.json").unlink()  # so that nobody else takes it for a worker of this test


def test_a_wish_to_stop_that_cannot_be_read_is_one_of_now(
    jobs_: Jobs, request_: TrainRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("it was asked only now"))
    me = psutil.Process()
    job = made_job(jobs_, request_, TrainingStatus(state="running"), {"pid": me.pid, "started": me.create_time()})
    path = job.folder / "cancel.json"
    for content in ("", "{}", '{"requested": "x", "terminated": null}', '{"requested": 1e15, "terminated": null}'):
        path.write_text(content)
        assert (job.state, job.cancelling) == ("running", True)
        assert abs(json.loads(path.read_text())["requested"] - time.time()) < 60
        path.unlink()
        path.mkdir()  # likewise
        assert job.state == "running"
        assert path.is_file()


def test_a_damaged_job_whose_worker_runs_is_asked_to_stop_before_it_is_removed(
    jobs_: Jobs, request_: TrainRequest
) -> None:
    me = psutil.Process()
    job = made_job(jobs_, request_, TrainingStatus(state="running"), {"pid": me.pid, "started": me.create_time()})
    (job.folder / "request.json").write_text("{}")
    with pytest.raises(UserError, match=f"process {me.pid}.*asked to stop"):
        jobs_.remove(job.id)
    assert (job.folder / "cancel.json").is_file()
    (job.folder / "process.json").unlink()
    jobs_.remove(job.id)
    assert not job.folder.exists()
