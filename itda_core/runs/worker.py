"""The worker's side of a job: a training that reports to its folder and stops when a cancel file appears there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from itda_core.errors import UserError
from itda_core.files import read_json, write_json
from itda_core.runs.job_status import Curves, JobStatus, State, with_progress
from itda_core.runs.request import TrainRequest
from itda_core.runs.training_run import CHECKPOINT_SECONDS, Interrupted, TrainedDictionary, run

if TYPE_CHECKING:
    from itda_core.dictionaries import TrainProgress

STATUS, CANCEL, WORK = "status.json", "cancel.json", "work"
_SECONDS_BETWEEN_WRITES = 0.4


def run_job(
    folder: Path,
    request: TrainRequest,
    *,
    resume: bool,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    should_stop: Callable[[], bool],
    on_step: Callable[[str], None],
) -> tuple[TrainedDictionary, ...]:
    """Do `request` for the job in `folder`. Raises what `run` raises, after the job's status says so."""
    reporter = Reporter(folder, resume=resume)

    def step(name: str) -> None:
        on_step(name)
        reporter.step(name)

    try:
        results = run(
            request,
            resume=resume,
            work=folder / WORK,
            checkpoint_seconds=checkpoint_seconds,
            on_step=step,
            on_progress=reporter.progress,
            on_note=reporter.note,
            should_stop=lambda: should_stop() or reporter.cancelled(),
        )
    except (Interrupted, KeyboardInterrupt):
        reporter.end("cancelled")
        raise
    except UserError as error:
        reporter.end("failed", error=str(error))
        raise
    except BaseException as error:
        reporter.end("failed", error=f"Unexpected {type(error).__name__}: {error}. The log has the details.")
        raise
    reporter.end("done", results=results)
    return results


class Reporter:
    """Keeps `status.json` current; each write replaces the whole file."""

    def __init__(self, folder: Path, *, resume: bool) -> None:
        self._folder = folder
        earlier = JobStatus.from_dict(read_json(folder / STATUS)) if resume else None
        self._status = replace(earlier or JobStatus(), state="running", error=None, results=())
        self._curves = Curves(earlier)
        self._written = 0.0
        self._latest: TrainProgress | None = None

    def step(self, name: str) -> None:
        if self.cancelled():
            raise Interrupted(self._status.tokens, self._status.total)
        self._status = replace(self._status, step=name)
        self._write()

    def note(self, sentence: str) -> None:
        self._status = replace(self._status, notes=(*self._status.notes, sentence))
        self._write()

    def progress(self, progress: TrainProgress) -> None:
        self._latest = progress
        self._curves.add(progress.tokens, [(layer.atoms, round(layer.relative_error, 5)) for layer in progress.layers])
        if time.monotonic() - self._written >= _SECONDS_BETWEEN_WRITES:
            self._write()

    def end(self, state: State, *, results: tuple[TrainedDictionary, ...] = (), error: str | None = None) -> None:
        self._status = replace(self._status, state=state, step="", eta=None, results=results, error=error)
        self._write()

    def cancelled(self) -> bool:
        return (self._folder / CANCEL).exists()

    def _write(self) -> None:
        if self._latest is not None:
            eta = self._latest.eta if self._status.state == "running" else None
            self._status = replace(with_progress(self._status, self._latest, self._curves.points()), eta=eta)
        write_json(self._folder / STATUS, self._status.to_dict())
        self._written = time.monotonic()
