"""The worker's side of a job: what it reports to the job's folder, and whether it is to stop."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Generic

from itda_core.errors import UserError, presentable
from itda_core.files import write_json
from itda_core.runs.jobs.job_folder import CANCEL, STATUS
from itda_core.runs.jobs.kinds import S
from itda_core.runs.jobs.status import State
from itda_core.runs.jobs.stopping import Interrupted

_SECONDS_BETWEEN_WRITES = 0.4


class Reporter(Generic[S]):
    """Keeps `status.json` current; each write replaces the whole file."""

    def __init__(self, folder: Path, status: S) -> None:
        self.status = status
        self._folder = folder
        self._written = 0.0

    def step(self, name: str) -> None:
        """Another part of the work begins. Raises Interrupted when the job is to stop."""
        if self.cancelled():
            raise Interrupted(self.status.tokens, self.status.total)
        self.report(self.status.at_step(name))

    def report(self, status: S, *, soon: bool = True) -> None:
        """The job's status is now this; written at once, or, unless `soon`, a few times a second, and at once where it
        is at another part of the work.
        """
        soon = soon or status.part != self.status.part
        self.status = status
        if soon or time.monotonic() - self._written >= _SECONDS_BETWEEN_WRITES:
            # Only the last report must outlive a power cut; one before it ends with the work anyway.
            write_json(self._folder / STATUS, status.to_dict(), synced=status.ended)
            self._written = time.monotonic()

    def end(self, state: State, error: str | None = None) -> None:
        """Report how the job ended."""
        self.report(replace(self.status, state=state, step="", eta=None, error=error))

    def cancelled(self) -> bool:
        """Whether somebody has asked the job to stop."""
        return os.path.lexists(self._folder / CANCEL)


@contextmanager
def ending(reporter: Reporter) -> Iterator[None]:
    """Writes how the block ended into the job's status; what the block raises goes on."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt):
        reporter.end("cancelled")
        raise
    except UserError as error:
        reporter.end("failed", str(error))
        raise
    except BaseException as error:
        reporter.end("failed", presentable(f"Unexpected {type(error).__name__}: {error}. The log has the details."))
        raise
    reporter.end("done")
