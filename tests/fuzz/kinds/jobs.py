"""A home with good jobs and one whose folder is damaged: every list, and what the pages show of every job."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import psutil

from itda_core.analysis.evaluate import Evaluation
from itda_core.analysis.interventions.change import Change, ChangedToken
from itda_core.analysis.interventions.effect import CurvePoint, Effect, NextToken, Piece
from itda_core.analysis.interventions.steered import Continuations, Curve, Steered
from itda_core.analysis.replay import Prediction
from itda_core.comparison.label_transfer.transfer import Transfer, TransferTable
from itda_core.comparison.matching.accuracy import MatchAccuracy
from itda_core.comparison.matching.table import MatchTable, MeasureResult
from itda_core.errors import UserError
from itda_core.figures import charts as figures_charts
from itda_core.figures import transfers
from itda_core.figures.steering_page import steering_page
from itda_core.files import write_json
from itda_core.models.spec import ModelSpec
from itda_core.runs.atoms.mapping import MapMade, MapRequest, MapStatus
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.evaluation.status import EvaluationStatus
from itda_core.runs.indexing.request import IndexRequest
from itda_core.runs.indexing.status import IndexMade, IndexStatus
from itda_core.runs.jobs import jobs
from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.jobs.kinds import KINDS as JOB_KINDS
from itda_core.runs.jobs.kinds import kind_of
from itda_core.runs.jobs.status import JobStatus
from itda_core.runs.matching.request import MatchRequest
from itda_core.runs.matching.run import remarks, similarities_csv
from itda_core.runs.matching.status import MatchStatus
from itda_core.runs.steering.request import SteerRequest
from itda_core.runs.steering.status import SteeringStatus
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.run import TrainedDictionary
from itda_core.runs.training.status import Accepted, LayerStatus, TrainingStatus
from itda_core.runs.transfer.request import TransferRequest
from itda_core.runs.transfer.status import TransferStatus
from itda_core.runs.transfer.words import verdict
from pages.ui.compare.matching import results as matching_results
from pages.ui.compare.transfer import results as transfer_results
from pages.ui.components.moments import moment, progress_line
from pages.ui.evaluate import results as evaluate_results
from pages.ui.jobs import job_watch
from pages.ui.jobs.job_watch import STATES, subject
from pages.ui.train import watch as train_watch
from tests.fuzz.damage import damage_file, damage_json_file
from tests.fuzz.harness import Kind

_BROKEN = "20300101-000000-000009-abcd"
_FILES = ("request.json", "status.json", "process.json", "cancel.json", "log.txt")


def _statuses() -> list[tuple[Any, Any]]:
    """A request and a status of each kind, as after some work."""
    layer = LayerStatus("resid_post", 2, 7, 0.5, 0.1, (3, 7), (0.6, 0.5), (Accepted("dog", "the ", " ran"),), 2, 30)
    result = TrainedDictionary("/x", "demo:0", 2, "resid_post", 7, 8, 3, "sequential", 0.3, 100, 1.0, 100.0, 0.25)
    measured = Evaluation(
        *("/library/x", 8, "mp", 100, 0.2, 0.1, 0.9, 7.5, 0.25, 3.0, 3.1, 9.0, 0.98, 0.1),
        *("held-out", "demo", "demo:0", 2, "resid_post", 64),
    )
    cell = Transfer(
        *("demo:0 layer 2", 2, "demo:1", 2, "resid_post", 8, "mp", 64, 0.9, 1000, 0.3, 0.2, 7.5),
        *(60, 0.25, 0.2, 7.0, 0.5, 0.01, 0.4, 8.0),
    )
    cells = tuple(replace(cell, k=k, layer=at, labels_layer=of) for of in (2, 3) for at in (2, 3) for k in (4, 8))
    square = tuple(tuple(tuple(tuple(0.5 + i / 9 for i in range(2)) for _ in "ab") for _ in "ab") for _ in "ab")
    matched = MatchTable(
        *(("demo:0", "demo:1"), (0, 1), "resid_post", "demo", 500, 0.9, 3, ((9, 8), (7, 6)), 1.0, 2.0),
        (MeasureResult("itda", MatchAccuracy(0.75, 0.5, 8, 4, (0.1, 0.9)), square, 0.5),),
        {"k": 8},
    )
    indexed = IndexMade("/x", "/library/a", "0" * 64, "demo", "held-out", 100, 3, 800, 1, 5000, 1.5)
    pieces = (Piece(" eggs", True), Piece(".", False))
    likeliest = (Prediction(" eggs", 0.5), Prediction(".", 0.25))
    effect = Effect(
        *("demo:0", "a", 2, "resid_post", "Add two", ("<s>", "Add", " two"), (True, False, False), 2),
        *((Change(3, -1.0), Change(7, 0.5, "norm", added=True, largest=4.0)), "all", False),
        (ChangedToken(2, 3, 1.5, -1.5, 6.0, 9.0), ChangedToken(2, 7, 0.0, 3.0, 6.0)),
        *(likeliest, likeliest, likeliest),
        *((NextToken(" eggs", 5, 0.5, 0.6, 0.1),), 0.2, 0.4, 0.3, 3.0, None, "A sentence."),
    )
    curve = Curve(" eggs", (CurvePoint(-1.0, 0.5, 0.25), CurvePoint(1.0, 0.0, 0.75)))
    steered = Steered(effect, Continuations(2, 0.5, 1, pieces, pieces), curve)
    ran: dict[str, Any] = {"step": "at it", "tokens": 100, "total": 200, "seconds": 1.5, "eta": 2.0, "notes": ("n",)}
    return [
        (
            TrainRequest(ModelSpec("demo:0"), (0, 2), "demo"),
            TrainingStatus(
                "running",
                **ran,
                tokens_per_second=66.0,
                series_tokens=(50, 100),
                layers=(layer,),
                results=(result,),
            ),
        ),
        (
            EvaluateRequest(("a", "b"), ks=(4, 8), methods=("mp",)),
            EvaluationStatus("running", **ran, share=0.5, results=(measured, replace(measured, k=16, layer=3))),
        ),
        (IndexRequest("a", corpus="demo"), IndexStatus("done", **ran, share=1.0, index=indexed)),
        (
            SteerRequest("a", "Add two", ("3:-1", "7:0.5:norm:add"), new_tokens=2, temperature=0.5, curve="-1:1"),
            SteeringStatus("done", **ran, share=1.0, before=pieces, after=pieces, steered=steered),
        ),
        (MapRequest("a"), MapStatus("done", **ran, share=1.0, map=MapMade("/library/a", "0" * 64, 1024, 2.5))),
        (MatchRequest(("demo:0", "demo:1"), "demo"), MatchStatus("done", **ran, share=1.0, table=matched)),
        (
            TransferRequest(("a", "b"), ModelSpec("demo:1"), ks=(4, 8)),
            TransferStatus("done", **ran, share=1.0, table=TransferTable("demo:1", "demo", "demo", 1000, 3, cells)),
        ),
    ]


def _prepare(folder: Path) -> list[Path]:
    """A folder of a job of each kind, whole."""
    made = []
    me = psutil.Process()
    for number, (request, status) in enumerate(_statuses()):
        home = folder / f"job-{number}"
        order = {"created": "2030-01-01T00:00:00+00:00", "kind": kind_of(request).name, "further": False}
        write_json(home / "request.json", {**order, "request": request.to_dict()})
        write_json(home / "status.json", status.to_dict())
        write_json(home / "process.json", {"pid": me.pid, "started": me.create_time()})
        write_json(home / "cancel.json", {"requested": 1.0, "terminated": None})
        (home / "log.txt").write_text("a line\n")
        made.append(home)
    return made


def _damage(job: Path, rng: random.Random) -> None:
    """Something odd in the place of the folder, or of one of its files; or one of them is gone."""
    for name in ("process.json", "cancel.json"):
        if rng.random() < 0.5:
            (job / name).unlink()
    path = rng.choice([path for name in _FILES if (path := job / name).exists()] * 3 + [job])
    match rng.randrange(12):
        case 0:
            _away(path)
        case 1:
            _away(path)
            path.mkdir()
        case 2:
            _away(path)
            os.mkfifo(path)
        case 3:
            _away(path)
            path.symlink_to(path)
        case 4:
            _away(path)
            path.symlink_to("/dev/zero")
        case 5:
            _away(path)
            path.write_bytes(b"")
        case 6 if path != job:
            damage_file(path, rng)
        case _ if path.suffix == ".json":
            damage_json_file(path, rng)


def _away(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _shown(job: Job) -> None:
    """What the pages make of a job, but for the widgets; the figures of the damaged one alone, for they take long."""
    status = job.status
    assert status.state in STATES
    assert 0 <= (status.fraction or 0.0) <= 1
    for text in (subject(job), progress_line(status), job.command, job.log, job_watch.everything(job)):
        text.encode()
    assert moment(job.created)
    if job.id == _BROKEN:
        _drawn(status)


def _drawn(status: JobStatus) -> None:
    if isinstance(status, TrainingStatus):
        train_watch.expected_atoms(status)
        for layer in status.layers:
            lines = {train_watch.layer_name(layer): layer.series_atoms}
            figures_charts.curves(status.series_tokens, lines, y_title="atoms")
        assert all(isinstance(Path(result.path), Path) for result in status.results)
    if isinstance(status, EvaluationStatus):
        evaluate_results.frame_of(status.results)
        evaluate_results.csv(status.results)
        for over in ("k", "layer", "atoms"):
            figures_charts.evaluations(status.results, "fvu", over)
    if isinstance(status, MatchStatus) and status.table is not None:
        assert remarks(status.table)
        matching_results.frame_of(status.table)
        similarities_csv(status.table)
        for measure in status.table.measures:
            for mean in (False, True):
                cells = matching_results.cells(status.table, measure, mean)
                assert np.isfinite([cells.low, cells.high]).all()
    if isinstance(status, SteeringStatus) and status.steered is not None:
        steering_page(status.steered, command="itda steer").encode()
        assert status.steered.to_dict()
    if isinstance(status, TransferStatus) and status.table is not None:
        transfer_results.frame_of(status.table)
        transfer_results.csv(status.table)
        for k in status.table.ks:
            try:
                assert verdict(status.table, k)
            except UserError:
                continue
            transfers.fvu_by_layer(status.table, k)
            cells = transfers.cells(status.table, k, "fvu")
            assert np.isfinite([cells.low, cells.high]).all()


def _attempt(prepared: list[Path], folder: Path, rng: random.Random) -> None:
    home = Jobs(folder / "home")
    good = [f"20300101-000000-00000{number}-abcd" for number in range(2)]
    for id, source in zip([*good, _BROKEN], [*prepared[:2], rng.choice(prepared)], strict=True):
        shutil.copytree(source, home.folder / id)
    _damage(home.folder / _BROKEN, rng)
    signalled: list[int] = []
    quiet = SimpleNamespace(
        Popen=lambda *_, **__: SimpleNamespace(pid=os.getpid(), poll=lambda: 0), DEVNULL=subprocess.DEVNULL
    )
    with (
        mock.patch("os.killpg", lambda pid, _: signalled.append(pid)),
        mock.patch.object(jobs, "subprocess", quiet),
        mock.patch.object(jobs, "_yield_to_pages"),
    ):
        _used(home, good)
    assert set(signalled) <= {os.getpid()}, signalled


def _used(home: Jobs, good: list[str]) -> None:
    try:
        _looked_at(home, good)
    except UserError as error:
        raise AssertionError("what is damaged may be said, but looking is never refused") from error
    job = next((job for job in home.list() if job.id == _BROKEN), None)
    if job is not None and job.status.resumable:
        job.resume()
        _shown(job)
        assert job.status.state == "starting"
        (job.folder / "process.json").unlink()
        write_json(job.folder / "status.json", job.kind.status(state="failed").to_dict())
    if os.path.lexists(home.folder / _BROKEN):
        home.remove(_BROKEN)  # UserError: its worker, this process, runs
        assert not os.path.lexists(home.folder / _BROKEN)
    assert [job.id for job in home.list()] == sorted(good, reverse=True)


def _looked_at(home: Jobs, good: list[str]) -> None:
    for kind in (None, *JOB_KINDS.values()):
        listed, damaged = [job.id for job in home.list(kind)], [job.id for job in home.damaged(kind)]
        assert kind is not None or set(good) <= set(listed)
        assert kind is not None or (_BROKEN in listed) + (_BROKEN in damaged) == os.path.lexists(home.folder / _BROKEN)
    for job in home.list():
        _shown(job)
    assert all(_a_sentence(broken.problem) for broken in home.damaged())


def _a_sentence(sentence: str) -> bool:
    return len(sentence) < 1200 and sentence.endswith(".") and sentence.isprintable()


KINDS = [Kind("jobs", _prepare, _attempt)]
