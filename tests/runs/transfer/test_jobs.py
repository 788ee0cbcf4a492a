"""A transfer of labels as a job, against the command line and the engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from itda_core.comparison.label_transfer.transfer import TransferTable
from itda_core.errors import UserError
from itda_core.files import read_json, write_json
from itda_core.models import ModelSpec
from itda_core.runs import MATCHING, TRANSFER, Job, Jobs, TransferRequest, TransferStatus, transfer_labels
from itda_core.runs.jobs.worker import work_for_job
from itda_core.runs.training.run import Interrupted
from itda_core.runs.transfer.run import TransferProgress
from tests.conftest import Cli


@pytest.fixture
def request_(trained: Path, model_folder_of: Callable[[str], Path], corpus_file: Path) -> TransferRequest:
    """Labels of the tiny GPT-2 into two layers of the tiny GPT-NeoX, which has the same tokenizer."""
    model = ModelSpec(str(model_folder_of("gpt_neox")), device="cpu")
    return TransferRequest((str(trained),), model, (1, 2), (2, 4), corpus=str(corpus_file), tokens=300, draws=2)


def same(one: TransferTable, other: TransferTable) -> None:
    assert replace(one, cells=()) == replace(other, cells=())
    for cell, like in zip(one.cells, other.cells, strict=True):
        assert vars(cell) == pytest.approx(vars(like), abs=1e-5)


def test_a_job_ends_with_the_table_of_the_command_line(
    jobs_: Jobs, request_: TransferRequest, itda: Cli, worker_here: Callable[[Job], tuple[int, str, str]]
) -> None:
    job = jobs_.start(request_)
    assert worker_here(job)[0] == 0
    status = job.status
    assert (status.state, status.error, status.fraction, status.tokens) == ("done", None, 1, 300)
    table = jobs_.get(job.id, TRANSFER).status.table
    assert table is not None
    assert [(cell.layer, cell.k) for cell in table.cells] == [(1, 2), (1, 4), (2, 2), (2, 4)]
    code, out, err = itda("transfer", *request_.arguments(), "--json")
    assert (code, err) == (0, "")
    same(table, TransferTable.from_dict(json.loads(out)))
    assert jobs_.list(MATCHING) == []

    stopped = jobs_.start(request_)
    stopped.cancel()
    code, out, err = worker_here(stopped)
    assert (code, out) == (130, "")
    status = stopped.status
    assert (status.state, status.error, status.table, status.resumable) == ("cancelled", None, None, True)
    assert "Interrupted" in err
    assert "Traceback" not in err


def test_progress_only_grows_and_what_it_raises_ends_the_work(request_: TransferRequest) -> None:
    heard: list[TransferProgress] = []
    steps: list[str] = []
    table = transfer_labels(request_, on_step=steps.append, on_progress=heard.append)
    assert steps[-1] == "loading the model"
    assert list(dict.fromkeys(progress.step for progress in heard)) == [
        *("drawing places", "reading the labels' text", "reading held-out text", "measuring"),
    ]
    shares = [progress.share for progress in heard]
    assert shares == sorted(shares)
    assert shares[0] == 0 < shares[-1] < 1

    def stop(progress: TransferProgress) -> None:
        if progress.step == "measuring":
            raise Interrupted(0, None)

    with pytest.raises(Interrupted):
        transfer_labels(request_, on_progress=stop)
    same(transfer_labels(request_), table)  # nothing was left behind in the model


def job_folder(jobs: Jobs, request: TransferRequest) -> Path:
    """A job that is not running."""
    folder = jobs.folder / "20300101-000000-000000-abcd"
    order = {"created": "2030-01-01T00:00:00+00:00", "kind": "transfer", "request": request.to_dict()}
    write_json(folder / "request.json", order)
    write_json(folder / "status.json", TransferStatus().to_dict())
    return folder


def test_a_job_that_fails_says_why(jobs_: Jobs, request_: TransferRequest) -> None:
    folder = job_folder(jobs_, request_)
    with pytest.raises(UserError, match="has no layer 9"):
        work_for_job(folder, replace(request_, layers=(0, 9)), on_step=lambda _: None)
    status = jobs_.get(folder.name, TRANSFER).status
    assert (status.state, status.table) == ("failed", None)
    assert "has no layer 9" in str(status.error)


def test_a_cancel_is_heard_while_it_measures(
    jobs_: Jobs, request_: TransferRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = job_folder(jobs_, request_)

    def measure(request: TransferRequest, *, on_step, on_progress) -> None:
        on_step("loading the model")
        on_progress(TransferProgress("measuring", 0.25, 3.0))
        said = TransferStatus.from_dict(read_json(folder / "status.json"))
        assert (said.state, said.share, said.eta, said.step) == ("running", 0.25, 9.0, "measuring")
        write_json(folder / "cancel.json", {"requested": 0, "terminated": None})
        on_progress(TransferProgress("measuring", 0.5, 6.0))

    monkeypatch.setattr("itda_core.runs.transfer.run.transfer_labels", measure)
    monkeypatch.setattr("itda_core.runs.jobs.reporter._SECONDS_BETWEEN_WRITES", 0.0)
    with pytest.raises(Interrupted):
        work_for_job(folder, request_, on_step=lambda _: None)
    said = jobs_.get(folder.name, TRANSFER).status
    assert (said.state, said.share) == ("cancelled", 0.25)


def test_a_status_survives_json_with_what_is_not_finite(request_: TransferRequest) -> None:
    table = transfer_labels(replace(request_, layers=(1,), ks=(2,), draws=1))
    status = TransferStatus("done", tokens=300, share=1.0, table=table)
    assert TransferStatus.from_dict(json.loads(json.dumps(status.to_dict()))) == status
    assert table.cells[0].random_sd is None
    broken = replace(table, cells=(replace(table.cells[0], fvu=float("inf")),))
    read = TransferStatus.from_dict(json.loads(json.dumps(replace(status, table=broken).to_dict(), allow_nan=False)))
    assert read.table is not None
    assert read.table.cells[0].fvu is None
    with pytest.raises(UserError, match="cannot be read"):
        TransferStatus.from_dict({**status.to_dict(), "table": {"cells": [{}]}})
