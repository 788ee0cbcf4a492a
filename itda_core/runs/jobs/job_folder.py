"""What lies in a job's folder beside its request and its status; other things may have been put in their place."""

from __future__ import annotations

import os
import shutil
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from itda_core.errors import UserError
from itda_core.files import explained, open_regular, partial_folder, read_json, sync_folder, write_json
from itda_core.files.dataclass_schema import read_as
from itda_core.runs.jobs.kinds import KINDS, TRAINING, JobKind

REQUEST, STATUS, PROCESS, CANCEL, LOG, LOCK = (
    *("request.json", "status.json", "process.json"),
    *("cancel.json", "log.txt", ".lock"),
)
_LARGEST_PID = 2**31 - 1
_SAME_START = 1.0  # seconds two readings of one process's start time may differ by when the clock is set
_LOG_BYTES = 20_000


@dataclass(frozen=True)
class Worker:
    """A process; its starting time distinguishes it from a later one with the same number."""

    pid: int
    started: float  # seconds since the epoch

    def process(self) -> psutil.Process | None:
        """The process while it lives. Numbers that mean more than one process (0, 1, -1) are nobody's."""
        if not 1 < self.pid <= _LARGEST_PID:
            return None
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _SAME_START
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:  # gone, or another user's, and then not one that was started here
            return None


@dataclass(frozen=True)
class Cancel:
    """A request that the worker stops."""

    requested: float  # seconds since the epoch
    terminated: float | None = None  # when it was sent SIGTERM


def worker_of(folder: Path) -> Worker | None:
    """The worker of the job; None where it is not recorded, or not readably."""
    try:
        return read_as(Worker, read_json(folder / PROCESS), "worker's number")
    except UserError:  # damaged, or removed since by a resume
        return None


def cancel_of(folder: Path) -> Cancel | None:
    """The request that the worker stops, if there is one; an unreadable or future time counts as now."""
    path, now = folder / CANCEL, time.time()
    if not os.path.lexists(path):
        return None
    try:
        cancel = read_as(Cancel, read_json(path), "wish to stop")
        if cancel.requested <= now:
            return cancel
    except UserError:
        pass
    ask_to_stop(folder, Cancel(now))
    return Cancel(now)


def ask_to_stop(folder: Path, cancel: Cancel) -> None:
    """Write the request to stop. Raises UserError when it cannot be written."""
    clear(folder / CANCEL)
    write_json(folder / CANCEL, asdict(cancel))


def clear(path: Path, *, file: bool = False) -> None:
    """Make room for a file to be written: removes what is no plain file there, and with `file` also a plain file."""
    with explained(path):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            shutil.rmtree(path)
        elif file or not stat.S_ISREG(mode):
            path.unlink(missing_ok=True)


def end_of_log(folder: Path) -> str:
    """The last of what the worker wrote to its terminal; nothing where there is no such file."""
    path = folder / LOG
    if not os.path.lexists(path):
        return ""
    try:
        with open_regular(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_BYTES))
            return file.read(_LOG_BYTES).decode("utf-8", errors="replace")
    except UserError as error:
        return str(error)


def remove_folder(folder: Path) -> None:
    """Delete a job's folder, or what lies in its place: a reader sees it whole or not at all.

    Raises UserError when it cannot be removed.
    """
    with explained(folder), partial_folder(folder.parent, folder) as hidden:
        os.rename(folder, hidden / folder.name)
        sync_folder(folder.parent)


@dataclass(frozen=True)
class DamagedJob:
    """A job's folder whose request this version cannot read; it can only be removed."""

    folder: Path
    problem: str  # one sentence

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def kind(self) -> JobKind[Any, Any] | None:
        """The kind of the job, if at least that can be read."""
        try:
            request = read_json(self.folder / REQUEST)
        except UserError:
            return None
        name = request.get("kind", TRAINING.name) if isinstance(request, dict) else None
        return KINDS.get(name) if isinstance(name, str) else None

    def remove(self) -> None:
        """Delete it. Raises UserError when it cannot be deleted, or while its worker runs, which is asked to stop."""
        worker = worker_of(self.folder)
        if worker is not None and worker.process() is not None:
            ask_to_stop(self.folder, Cancel(time.time()))
            raise UserError(
                f"Job {self.id} still has a worker (process {worker.pid}), which was asked to stop; remove the job "
                "once it has ended."
            )
        remove_folder(self.folder)
