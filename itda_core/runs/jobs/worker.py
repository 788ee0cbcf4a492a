"""What a job's worker does: work that reports to the job's folder and stops when asked to."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from itda_core.files import read_json
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.evaluation.run import measure
from itda_core.runs.evaluation.status import EvaluationStatus
from itda_core.runs.jobs.jobs import Job
from itda_core.runs.jobs.reporter import STATUS, Reporter, ending
from itda_core.runs.matching.request import MatchRequest
from itda_core.runs.matching.run import match_models
from itda_core.runs.matching.status import MatchStatus
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.run import CHECKPOINT_SECONDS, Interrupted, TrainedDictionary, run
from itda_core.runs.training.status import Curves, TrainingStatus, with_progress
from itda_core.runs.transfer.request import TransferRequest
from itda_core.runs.transfer.run import TransferProgress, transfer_labels
from itda_core.runs.transfer.status import TransferStatus

if TYPE_CHECKING:
    from itda_core.analysis import Evaluation
    from itda_core.comparison.label_transfer.transfer import TransferTable
    from itda_core.comparison.matching.table import MatchTable
    from itda_core.dictionaries import TrainProgress

WORK = "work"


def train_for_job(
    folder: Path,
    request: TrainRequest,
    *,
    resume: bool,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    should_stop: Callable[[], bool],
    on_step: Callable[[str], None],
    run: Callable[..., tuple[TrainedDictionary, ...]] = run,
) -> tuple[TrainedDictionary, ...]:
    """Do `request` for the job in `folder`. Raises what `run` raises, after the job's status says so.

    A worker that is started again (`resume`) goes on from the job's own checkpoint; one of a job that was asked to go
    further, and has no checkpoint yet, from finished dictionaries in the library.

    `run`: training_run.run, or what takes and gives the same, as cluster.run does.
    """
    earlier = TrainingStatus.from_dict(read_json(folder / STATUS)) if resume else None
    curves = Curves(earlier)
    reporter = Reporter(folder, replace(earlier or TrainingStatus(), state="running", error=None, results=()))

    def step(name: str) -> None:
        on_step(name)
        reporter.step(name)

    def progress(progress: TrainProgress) -> None:
        curves.add(progress.tokens, [(layer.atoms, round(layer.relative_error, 5)) for layer in progress.layers])
        reporter.report(with_progress(reporter.status, progress, curves.points()), soon=False)

    with ending(reporter):
        results = run(
            request,
            resume=resume,
            further=Job(folder).further,
            work=folder / WORK,
            checkpoint_seconds=checkpoint_seconds,
            on_step=step,
            on_progress=progress,
            on_note=lambda note: reporter.report(replace(reporter.status, notes=(*reporter.status.notes, note))),
            should_stop=lambda: should_stop() or reporter.cancelled(),
        )
        reporter.report(replace(reporter.status, results=results))
    return results


def evaluate_for_job(
    folder: Path, request: EvaluateRequest, *, on_step: Callable[[str], None]
) -> tuple[Evaluation, ...]:
    """Do `request` for the job in `folder`; the results so far are in its status, and stay there when it is stopped.

    Raises what `measure` raises, and Interrupted, after the job's status says so.
    """
    return _followed(folder, EvaluationStatus(state="running"), partial(measure, request), on_step).results


def match_for_job(folder: Path, request: MatchRequest, *, on_step: Callable[[str], None]) -> MatchTable:
    """Do `request` for the job in `folder`; the table is in its status when it is done.

    Raises what `match_models` raises, and Interrupted, after the job's status says so.
    """
    table = _followed(folder, MatchStatus(state="running"), partial(match_models, request), on_step).table
    assert table is not None, "a study ends with its table"
    return table


def transfer_for_job(folder: Path, request: TransferRequest, *, on_step: Callable[[str], None]) -> TransferTable:
    """Do `request` for the job in `folder`; the table is in its status when it is done.

    Raises what `transfer_labels` raises, and Interrupted, after the job's status says so.
    """
    reporter = Reporter(folder, TransferStatus(state="running"))
    began = monotonic()

    def step(name: str) -> None:
        on_step(name)
        reporter.step(name)

    def progress(progress: TransferProgress) -> None:
        if reporter.cancelled():
            raise Interrupted(0, None)
        reporter.report(reporter.status.at(progress), soon=False)

    with ending(reporter):
        table = transfer_labels(request, on_step=step, on_progress=progress)
        reporter.report(reporter.status.with_table(table, monotonic() - began))
    return table


class _Work(Protocol):
    def __call__(self, *, on_step: Callable[[str], None]) -> Generator[Any, None, None]: ...


Followed = TypeVar("Followed", EvaluationStatus, MatchStatus)


def _followed(folder: Path, status: Followed, work: _Work, on_step: Callable[[str], None]) -> Followed:
    """Report each progress of `work` to the job in `folder`, until it ends or is to stop; the last status."""
    reporter = Reporter(folder, status)

    def step(name: str) -> None:
        on_step(name)
        reporter.step(name)

    with ending(reporter), closing(work(on_step=step)) as progresses:
        for progress in progresses:
            reporter.report(reporter.status.at(progress), soon=False)
            if reporter.cancelled() and not progress.done:
                raise Interrupted(progress.tokens, None)
    return reporter.status
