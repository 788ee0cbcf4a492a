"""Work in the background: one folder and one process per job, independent of the page that started it.

A job's folder holds `request.json`, `status.json` (replaced by the worker), `process.json` (who the worker is),
`cancel.json` (there once somebody wants it to stop), `log.txt` and, for a training, `work/` (checkpoints).
"""

from __future__ import annotations

import datetime
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Generic

import psutil
from filelock import FileLock

from itda_core.errors import UserError
from itda_core.files import PARTIAL, explained, new_folder, read_json, write_json
from itda_core.runs.home import home as user_home
from itda_core.runs.job_kinds import KINDS, TRAINING, JobKind, JobRequest, R, S, kind_of
from itda_core.runs.reporter import CANCEL, STATUS

TERMINATE_AFTER = 10.0  # seconds from the cancel file to SIGTERM: the worker looks at the file after each batch
KILL_AFTER = 120.0  # to SIGKILL: enough to write a checkpoint of any size
_SECONDS_TO_START = 30.0
_SAME_START = 1.0  # seconds two readings of one process's start time may differ by when the clock is set
_LOG_BYTES = 20_000
_NICENESS = 5  # on Unix: a third of the time of what competes with it
_REQUEST, _PROCESS, _LOG, _LOCK = "request.json", "process.json", "log.txt", ".lock"
_ID = re.compile(r"\d{8}-\d{6}-\d{6}-[0-9a-f]{4}")
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]

_children: list[subprocess.Popen[bytes]] = []  # of this process; polled so that ended ones do not stay as zombies


@dataclass(frozen=True)
class _Worker:
    """A process, told from a later one with the same number by when it started."""

    pid: int
    started: float  # seconds since the epoch

    def process(self) -> psutil.Process | None:
        """The process while it lives."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _SAME_START
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class Jobs:
    """The jobs of one user, kept in `home/jobs`."""

    def __init__(self, home: Path | str | None = None) -> None:
        self.home = user_home() if home is None else Path(home).absolute()
        self.folder = self.home / "jobs"

    def start(self, request: R, *, further: bool = False) -> Job[R, Any]:
        """Start a worker for `request`; with `further`, a training that goes on from finished dictionaries.

        Raises UserError when the job's folder cannot be written, the request names a dictionary that does not exist, or
        a job of this kind cannot go further.
        """
        kind = kind_of(request)
        if further and not kind.continues:
            raise UserError(f"Only a training can go further; start a new {kind.noun}.")
        order = {"kind": kind.name, "request": request.resolved().to_dict(), "further": further}
        now = datetime.datetime.now(datetime.UTC)
        job: Job[R, Any] = Job(self.folder / f"{now:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}")
        with new_folder(job.folder) as partial:
            write_json(partial / _REQUEST, {"created": now.isoformat(timespec="seconds"), **order})
            write_json(partial / STATUS, kind.status().to_dict())
        job.launch(resume=False)
        return job

    def list(self, kind: JobKind[R, S] | None = None) -> list[Job[R, S]]:
        """All jobs, or those of one kind, newest first; folders that are no jobs, or of another version, left out."""
        if not self.folder.is_dir():
            return []
        found: Iterable[Job[R, S]] = (Job(path) for path in self.folder.iterdir() if _ID.fullmatch(path.name))
        wanted = [job for job in found if job.readable and kind in (None, job.kind)]
        return sorted(wanted, key=lambda job: job.id, reverse=True)

    def get(self, id: str, kind: JobKind[R, S] | None = None) -> Job[R, S]:
        """Raises UserError when there is no such job, or when it is of another kind than wanted."""
        job: Job[R, S] = Job(self.folder / id)
        if not _ID.fullmatch(id) or not job.readable:
            raise UserError(f"There is no job {id[:40]!r}; it may have been removed. Choose one from the list of jobs.")
        if kind not in (None, job.kind):
            raise UserError(
                f"Job {id} is of another kind ({job.kind.noun}, not {kind.noun}); choose one from the list of jobs."
            )
        return job


class Job(Generic[R, S]):
    """One piece of work in the background. Every look at `status` reads the folder anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def id(self) -> str:
        return self.folder.name

    @cached_property
    def _order(self) -> dict[str, Any]:
        return read_json(self.folder / _REQUEST)

    @property
    def readable(self) -> bool:
        """Whether the folder says what was asked for, in this version's words."""
        try:
            return isinstance(self._order["created"], str) and self.kind is not None and self.request is not None
        except (UserError, KeyError, TypeError):
            return False

    @property
    def created(self) -> str:
        """When it was first started: ISO 8601, UTC."""
        return self._order["created"]

    @cached_property
    def kind(self) -> JobKind[R, S]:
        return KINDS[self._order.get("kind", TRAINING.name)]  # the first version's jobs were all trainings

    @cached_property
    def request(self) -> R:
        return self.kind.request.from_dict(self._order["request"])

    @property
    def further(self) -> bool:
        """Whether it goes on from finished dictionaries in the library (training_run.run)."""
        return self._order.get("further", False) is True  # older jobs do not say

    @property
    def command(self) -> str:
        """The same work as a line for a terminal."""
        return command_of(self.request, further=self.further)

    @property
    def state(self) -> str:
        return self.status.state

    @property
    def status(self) -> S:
        """What the worker last said, or that it is lost.

        A cancelled worker that has not ended in time is told so by signal here.
        """
        for child in tuple(_children):
            if child.poll() is not None and child in _children:
                _children.remove(child)
        said = self._said()
        if said.ended:
            return said
        worker = self._worker()
        if worker is None and said.state == "starting" and self._status_age() < _SECONDS_TO_START:
            return said
        process = worker.process() if worker else None
        if process is not None:
            self._press(process)
            return said
        said = self._said()  # it may have ended between the two looks
        if said.ended:
            return said
        if (self.folder / CANCEL).exists():
            return replace(said, state="cancelled", step="", eta=None)
        remedy = "resume it to go on from its last checkpoint" if self.kind.continues else "start it again"
        return replace(
            said,
            state="lost",
            step="",
            eta=None,
            error=f"The worker ended without a word (killed, out of memory, or the machine restarted); {remedy}.",
        )

    @property
    def cancelling(self) -> bool:
        """Whether it has been asked to stop."""
        return (self.folder / CANCEL).exists()

    @property
    def log(self) -> str:
        """The end of what the worker wrote to its terminal."""
        path = self.folder / _LOG
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_BYTES))
            return file.read().decode("utf-8", errors="replace")

    def cancel(self) -> None:
        """Ask the worker to stop and keep what it has; returns at once. Nothing happens to a job that has ended."""
        if not self.status.ended and not self.cancelling:
            write_json(self.folder / CANCEL, {"requested": time.time(), "terminated": None})

    def resume(self) -> None:
        """Start a worker again, from the last checkpoint, or from the beginning where its kind keeps none.

        Raises UserError when the job is running or done.
        """
        self.launch(resume=True)

    def remove(self) -> None:
        """Delete the job, its checkpoints and its figures; its dictionaries stay. Raises UserError while it runs."""
        if not self.status.ended:
            raise UserError(f"Job {self.id} is running; cancel it before removing it.")
        with explained(self.folder):
            hidden = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=self.folder.parent))
            os.rename(self.folder, hidden / self.id)
            shutil.rmtree(hidden)

    def launch(self, *, resume: bool) -> None:
        with FileLock(self.folder / _LOCK):  # two clicks start one worker
            said = self.status
            if resume and not said.resumable:
                raise UserError(f"Job {self.id} is {said.state}; only one that was stopped or failed can be resumed.")
            for name in (CANCEL, _PROCESS):
                (self.folder / name).unlink(missing_ok=True)
            kept = said if self.kind.continues else self.kind.status()
            write_json(self.folder / STATUS, replace(kept, state="starting", step="starting", error=None).to_dict())
            with explained(self.folder), (self.folder / _LOG).open("ab") as log:
                child = subprocess.Popen(
                    [
                        *(sys.executable, "-m", "itda_core", self.kind.name, *self.request.arguments()),
                        *(["--resume"] if resume and self.kind.continues else []),
                        *("--job", str(self.folder)),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    env=self._environment(),
                    start_new_session=True,  # neither Ctrl-C in the page's terminal nor the page's end reaches it
                )
            _children.append(child)
            worker = psutil.Process(child.pid)
            _yield_to_pages(worker)
            write_json(self.folder / _PROCESS, {"pid": child.pid, "started": worker.create_time()})

    def _environment(self) -> dict[str, str]:
        paths = [str(_PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            **os.environ,
            "ITDA_HOME": str(self.folder.parent.parent),
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUNBUFFERED": "1",
        }

    def _said(self) -> S:
        try:
            return self.kind.status.from_dict(read_json(self.folder / STATUS))
        except UserError as error:
            return self.kind.status(state="lost", error=str(error))

    def _status_age(self) -> float:
        return time.time() - (self.folder / STATUS).stat().st_mtime

    def _worker(self) -> _Worker | None:
        path = self.folder / _PROCESS
        if not path.exists():
            return None
        try:
            return _Worker(**read_json(path))
        except (UserError, TypeError):  # damaged, or removed since by a resume
            return None

    def _press(self, process: psutil.Process) -> None:
        """SIGTERM, once, and much later SIGKILL, to a worker that does not heed the cancel file."""
        path = self.folder / CANCEL
        if not path.exists():
            return
        cancel = read_json(path)
        waited = time.time() - cancel["requested"]
        if waited > KILL_AFTER:
            _signal(process, signal.SIGKILL)
        elif waited > TERMINATE_AFTER and cancel["terminated"] is None:
            write_json(path, {**cancel, "terminated": time.time()})
            _signal(process, signal.SIGTERM)


def command_of(request: JobRequest, *, further: bool = False) -> str:
    """What a job of `request` does, as a line for a terminal."""
    return f"{request.command()} --resume" if further else request.command()


def _yield_to_pages(worker: psutil.Process) -> None:
    """Where both want a core, who looks at a page comes first; on a quiet machine this costs nothing."""
    if psutil.WINDOWS:  # which has classes of priority instead
        return
    with suppress(psutil.Error, OSError):  # it may have ended already
        nicer = min(worker.nice() + _NICENESS, 19)
        worker.nice(nicer)
        if (group := Path(f"/proc/{worker.pid}/autogroup")).exists():
            group.write_text(str(nicer))  # on such a Linux a session's processes are weighed against others together


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)  # its session is its own, so its group has its number
    except ProcessLookupError:
        return
