"""Work in the background: one folder and one process per job, independent of the page that started it.

A job's folder holds `request.json`, `status.json` (replaced by the worker), `process.json` (who the worker is),
`cancel.json` (written to stop it), `log.txt` and, for a training, `work/` (checkpoints). Each is read
by the fields it was written from; a folder whose request cannot be read is a DamagedJob, listed beside the others.
"""

from __future__ import annotations

import datetime
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Generic

import psutil
from filelock import FileLock

from itda_core.errors import UserError
from itda_core.files import explained, new_folder, read_json, shown, stamp, sweep, write_json
from itda_core.files.dataclass_schema import read_as
from itda_core.runs.home import home as user_home
from itda_core.runs.jobs.job_folder import (
    CANCEL,
    LOCK,
    LOG,
    PROCESS,
    REQUEST,
    STATUS,
    Cancel,
    DamagedJob,
    Worker,
    ask_to_stop,
    cancel_of,
    clear,
    end_of_log,
    remove_folder,
    worker_of,
)
from itda_core.runs.jobs.kinds import KINDS, TRAINING, JobKind, JobRequest, R, S, kind_of
from itda_core.runs.jobs.references import identities_of, placed

TERMINATE_AFTER = 10.0  # seconds from the cancel file to SIGTERM: the worker looks at the file after each batch
KILL_AFTER = 120.0  # seconds to SIGKILL: enough to write a checkpoint of any size
_SECONDS_TO_START = 30.0
_NICENESS = 5  # on Unix: a third of the time of what competes with it
_ID = re.compile(r"\d{8}-\d{6}-\d{6}-[0-9a-f]{4}")
_PACKAGE_ROOT = Path(__file__).resolve().parents[3]
_YEARS = range(1970, 9999)  # those whose moments have a date in every time zone

_children: list[subprocess.Popen[bytes]] = []  # of this process; polled so that ended ones do not stay as zombies


@dataclass(frozen=True)
class _Order:
    """What `request.json` holds."""

    created: str  # when the job was first started: ISO 8601, UTC
    request: dict[str, Any]
    kind: str = TRAINING.name  # the first version had only trainings and wrote no kind
    further: bool = False  # whether it goes on from finished dictionaries
    # Of the dictionaries that the request names, by those names; earlier versions did not write them.
    identities: dict[str, str] = field(default_factory=dict)


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
        if further and not kind.goes_further:
            raise UserError(f"Only a training can go further; start a new {kind.noun}.")
        now = datetime.datetime.now(datetime.UTC)
        asked = request.resolved()
        identities = identities_of(asked)
        order = _Order(now.isoformat(timespec="seconds"), asked.to_dict(), kind.name, further, identities)
        job: Job[R, Any] = Job(self.folder / f"{now:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}")
        sweep(self.folder)
        with new_folder(job.folder) as partial:
            write_json(partial / REQUEST, asdict(order))
            write_json(partial / STATUS, kind.status().to_dict())
        job.launch(resume=False)
        return job

    def list(self, kind: JobKind[R, S] | None = None, *, most: int | None = None) -> list[Job[R, S]]:
        """All jobs, or those of one kind, newest first, and no more than `most`; damaged ones are left out."""
        found: Iterator[Job[R, S]] = (Job(path) for path in self._folders())
        return list(islice((job for job in found if job.problem is None and kind in (None, job.kind)), most))

    def damaged(self, kind: JobKind[Any, Any] | None = None) -> list[DamagedJob]:
        """Folders of jobs whose request cannot be read, newest first; with `kind`, those that may be of it."""
        problems = ((path, _problem(path, stamp(path / REQUEST))) for path in self._folders())
        found = [DamagedJob(path, problem) for path, problem in problems if problem is not None]
        return [job for job in found if kind is None or job.kind in (None, kind)]

    def get(self, id: str, kind: JobKind[R, S] | None = None) -> Job[R, S]:
        """Raises UserError when there is no such job, when it is damaged, or of another kind than wanted."""
        job: Job[R, S] = Job(self.folder / id)
        if not _ID.fullmatch(id) or not os.path.lexists(job.folder):
            raise UserError(
                f"There is no job {shown(id[:40])!r}; it may have been removed. Choose one from the list of jobs."
            )
        if job.problem is not None:
            raise UserError(job.problem)
        if kind not in (None, job.kind):
            raise UserError(
                f"Job {id} is of another kind ({job.kind.noun}, not {kind.noun}); choose one from the list of jobs."
            )
        return job

    def remove(self, id: str) -> None:
        """Delete a job, damaged ones included. Raises UserError when there is none, or while its worker runs."""
        damaged = next((job for job in self.damaged() if job.id == id), None)
        (damaged or self.get(id)).remove()

    def _folders(self) -> list[Path]:
        """The folders that are named like jobs, newest first."""
        if not self.folder.is_dir():
            return []
        return sorted((path for path in self.folder.iterdir() if _ID.fullmatch(path.name)), reverse=True)


class Job(Generic[R, S]):
    """One piece of work in the background. Every look at `status` reads the folder anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def id(self) -> str:
        return self.folder.name

    @cached_property
    def _order(self) -> _Order:
        return read_as(_Order, read_json(self.folder / REQUEST), "job's order", whole=False)

    @cached_property
    def problem(self) -> str | None:
        """Why this version cannot read the request, in one sentence; None where it can."""
        try:
            if self._order.kind not in KINDS:
                raise UserError(f"This version has no kind of job called {shown(self._order.kind)!r}; remove it.")
            _check_moment(self._order.created)
            assert self.request is not None
        except UserError as error:
            cause = str(error).rpartition("; ")[0] or str(error)
            return f"Job {self.id} is damaged: {cause}; remove it."
        return None

    @property
    def created(self) -> str:
        """When it was first started: ISO 8601, UTC."""
        return self._order.created

    @cached_property
    def kind(self) -> JobKind[R, S]:
        return KINDS[self._order.kind]

    @cached_property
    def request(self) -> R:
        return self.kind.request.from_dict(self._order.request)

    @property
    def further(self) -> bool:
        """Whether it goes on from finished dictionaries in the library (training_run.run)."""
        return self._order.further

    @property
    def identities(self) -> dict[str, str]:
        """Those of the dictionaries that the request names, by those names, as far as they were written down."""
        return {name: one for name, one in self._order.identities.items() if isinstance(one, str)}

    @property
    def placed_request(self) -> R:
        """The request with the folders where its dictionaries are now: they may have been renamed since.

        Raises UserError for one that is not there any more, also where another has its name.
        """
        return placed(self.request, self.identities)

    @property
    def command(self) -> str:
        """The same work as a line for a terminal."""
        try:
            request = self.placed_request
        except UserError:
            request = self.request
        return command_of(request, further=self.further)

    @property
    def state(self) -> str:
        return self.status.state

    @property
    def status(self) -> S:
        """What the worker last reported, or that it is lost, or that its report is damaged.

        A cancelled worker that has not ended in time is sent a signal here.
        """
        for child in tuple(_children):
            if child.poll() is not None and child in _children:
                _children.remove(child)
        status = self._reported()
        if status.ended and status.state != "damaged":
            return status
        worker = worker_of(self.folder)
        if worker is None and status.state == "starting" and self._status_age() < _SECONDS_TO_START:
            return status
        process = worker.process() if worker else None
        if process is not None:
            self._press(process)
            # A worker that runs writes a damaged status anew.
            return status if status.state != "damaged" else self.kind.status(state="running")
        status = self._reported()  # it may have ended between the two looks
        if status.ended:
            return status
        if self.cancelling:
            return replace(status, state="cancelled", step="", eta=None)
        remedy = (
            "resume it to go on from its last checkpoint" if self.kind.continues and status.begun else "start it again"
        )
        return replace(
            status,
            state="lost",
            step="",
            eta=None,
            error=f"The worker ended without a report (killed, out of memory, or the machine restarted); {remedy}.",
        )

    @property
    def cancelling(self) -> bool:
        """Whether it has been asked to stop."""
        return os.path.lexists(self.folder / CANCEL)

    @property
    def log(self) -> str:
        """The end of what the worker wrote to its terminal."""
        return end_of_log(self.folder)

    def cancel(self) -> None:
        """Ask the worker to stop and keep what it has; returns at once. Nothing happens to a job that has ended."""
        if not self.status.ended and not self.cancelling:
            ask_to_stop(self.folder, Cancel(time.time()))

    def resume(self) -> None:
        """Start a worker again, from the last checkpoint, or from the beginning where its kind keeps none.

        Raises UserError when the job is running or done, or when a dictionary that it is about is not there any more.
        """
        self.launch(resume=True)

    def remove(self) -> None:
        """Delete the job, its checkpoints and its figures; its dictionaries stay. Raises UserError while it runs."""
        if not self.status.ended:
            raise UserError(f"Job {self.id} is running; cancel it before removing it.")
        remove_folder(self.folder)

    def launch(self, *, resume: bool) -> None:
        """Start the job's worker, a process of its own."""
        clear(self.folder / LOCK)
        with explained(self.folder), FileLock(self.folder / LOCK):  # two clicks start one worker
            status = self.status
            if resume and not status.resumable:
                raise UserError(f"Job {self.id} is {status.state}; only one that was stopped or failed can be resumed.")
            # The worker itself looks where its dictionaries are now; here it is said at once that one is gone.
            placed(self.request, self.identities)
            for name in (CANCEL, PROCESS):
                clear(self.folder / name, file=True)
            for name in (STATUS, LOG):
                clear(self.folder / name)
            status = status if self.kind.continues and status.state != "damaged" else self.kind.status()
            write_json(self.folder / STATUS, replace(status, state="starting", step="starting", error=None).to_dict())
            with (self.folder / LOG).open("ab") as log:
                child = subprocess.Popen(
                    [
                        *(sys.executable, "-m", "itda_core", *self.kind.command, *self.request.arguments()),
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
            write_json(self.folder / PROCESS, asdict(Worker(child.pid, worker.create_time())))

    def _environment(self) -> dict[str, str]:
        paths = [str(_PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            **os.environ,
            "ITDA_HOME": str(self.folder.parent.parent),
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUNBUFFERED": "1",
        }

    def _reported(self) -> S:
        try:
            return self.kind.status.from_dict(read_json(self.folder / STATUS))
        except UserError as error:
            return self.kind.status(state="damaged", error=str(error))

    def _status_age(self) -> float:
        """Seconds since the worker last reported; infinity where that is not known."""
        with suppress(OSError):
            return abs(time.time() - (self.folder / STATUS).stat().st_mtime)
        return float("inf")

    def _press(self, process: psutil.Process) -> None:
        """Send SIGTERM once, and much later SIGKILL, to a worker that does not heed the cancel file."""
        cancel = cancel_of(self.folder)
        if cancel is None:
            return
        waited = time.time() - cancel.requested
        if waited > KILL_AFTER:
            _signal(process, signal.SIGKILL)
        elif waited > TERMINATE_AFTER and cancel.terminated is None:
            ask_to_stop(self.folder, replace(cancel, terminated=time.time()))
            _signal(process, signal.SIGTERM)


@lru_cache(maxsize=4096)
def _problem(folder: Path, request: tuple[int, ...] | None) -> str | None:
    """The problem of the job in `folder`, cached by its request's stamp: pages ask for all jobs at every click."""
    return Job(folder).problem


def command_of(request: JobRequest, *, further: bool = False) -> str:
    """What a job of `request` does, as a line for a terminal."""
    return f"{request.command()} --resume" if further else request.command()


def _check_moment(iso: str) -> None:
    """Raises UserError for what is no moment that every time zone can show."""
    try:
        fits = datetime.datetime.fromisoformat(iso).year in _YEARS
    except ValueError:
        fits = False
    if not fits:
        raise UserError(f"It was started at {shown(iso[:40])!r}, which is no moment; remove it.")


def _yield_to_pages(worker: psutil.Process) -> None:
    """Gives pages priority over the worker where both want a core; on a quiet machine this costs nothing."""
    if psutil.WINDOWS:  # which has classes of priority instead
        return
    with suppress(psutil.Error, OSError):  # it may have ended already
        nicer = min(worker.nice() + _NICENESS, 19)
        worker.nice(nicer)
        if (group := Path(f"/proc/{worker.pid}/autogroup")).exists():
            group.write_text(str(nicer))  # on such a Linux a session's processes are weighed against others together


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # it has ended; its number went to somebody else
        os.killpg(process.pid, number)  # it leads its own session, so its group has its number
