"""Work folders: where a run keeps its checkpoints until its dictionaries are in the library."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from itda_core.dictionaries.config import TrainConfig
from itda_core.errors import UserError
from itda_core.files import explained, read_json, write_json
from itda_core.runs.home import work_folder
from itda_core.runs.request import TrainRequest

_STATE, _STREAMED, _REQUEST, _SAVED, _LOCK = "state", "streamed", "request.json", "saved.json", ".lock"
HIDDEN_STATES = "hidden-states"


@dataclass(frozen=True)
class Work:
    """One run's folder: `state/` is the training's own, `saved.json` says which dictionaries are in the library."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / _STATE

    @property
    def streamed(self) -> Path:
        """What a streamed training keeps: the hidden states, and each layer's checkpoints."""
        return self.folder / _STREAMED

    @property
    def begun(self) -> bool:
        """Whether there is something to continue: a checkpoint, whole, or a block that the text has passed."""
        return bool(self._begun())

    @property
    def changed(self) -> float:
        """When that was last changed, in seconds since the epoch."""
        return max(path.stat().st_mtime for path in self._begun())

    def _begun(self) -> list[Path]:
        """The folders that hold something to continue."""
        return [
            folder
            for folder in (self.state, self.streamed / HIDDEN_STATES)
            if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())
        ]

    def saved(self) -> list[dict]:
        """The results already in the library; a disk that was full between two of them leaves such a list."""
        path = self.folder / _SAVED
        return read_json(path) if path.exists() else []

    def saved_sites(self) -> set[tuple[str, int | None]]:
        """Site and layer of each of them that is still there."""
        return {(result["site"], result["layer"]) for result in self.saved() if Path(result["path"]).is_dir()}

    def record_saved(self, results: list[dict]) -> None:
        write_json(self.folder / _SAVED, results)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Unfinished:
    """A run that ended before its dictionaries were in the library; `itda train ... --resume` continues it."""

    folder: Path
    request: TrainRequest
    changed: float  # seconds since the epoch


def unfinished() -> list[Unfinished]:
    """Runs with a checkpoint that nobody is working on now, newest first. Jobs keep their own and are not listed."""
    root = work_folder()
    found = []
    for folder in root.iterdir() if root.is_dir() else ():
        if not Work(folder).begun or not (folder / _REQUEST).is_file():
            continue
        with _locked(folder, wait=0) as free:
            if not free or not Work(folder).begun:
                continue
            try:
                request = TrainRequest.from_dict(read_json(folder / _REQUEST))
            except UserError:  # of another version of the software: it cannot be continued by this one
                continue
            found.append(Unfinished(folder, request, Work(folder).changed))
    return sorted(found, key=lambda run: run.changed, reverse=True)


@contextmanager
def work_for(request: TrainRequest, *, resume: bool, on_note: Callable[[str], None]) -> Iterator[Work]:
    """The work folder of `request`, locked while the block runs.

    With `resume`, an unfinished one: that of the same request, or else the newest that this one can go on from (see
    TrainConfig.goes_on_from), which is this request's from then on. Otherwise a new one; without `resume`, a note says
    when an unfinished run of the same request exists, which is left as it is.
    """
    root = work_folder()
    with explained(root):
        root.mkdir(parents=True, exist_ok=True)
    key = request.key()
    earlier = [path for path in root.glob(f"{key}*") if path.is_dir()]
    begun = sorted((path for path in earlier if Work(path).begun), key=lambda path: -Work(path).changed)
    same = [folder for folder in begun if _config(folder) == request.config]
    if resume:
        for folder in dict.fromkeys([*same, *(folder for folder in begun if _leads_to(folder, request))]):
            with _locked(folder) as free:
                if free and Work(folder).begun:
                    write_json(folder / _REQUEST, request.to_dict())
                    yield Work(folder)
                    return
    elif same:
        on_note("An unfinished run of the same training was found and left as it is; --resume would continue it.")
    number = 1
    while True:
        folder = root / (key if number == 1 else f"{key}-{number}")
        number += 1
        if Work(folder).begun:
            continue
        with explained(folder):
            folder.mkdir(exist_ok=True)
        with _locked(folder) as free:
            if free and not Work(folder).begun:
                try:
                    write_json(folder / _REQUEST, request.to_dict())
                    yield Work(folder)
                finally:
                    if not Work(folder).begun:  # it ended before anything was worth keeping
                        Work(folder).remove()
                return


def _config(folder: Path) -> TrainConfig | None:
    """That of the run in `folder`; None where this version cannot read it."""
    try:
        return TrainRequest.from_dict(read_json(folder / _REQUEST)).config
    except UserError:
        return None


def _leads_to(folder: Path, request: TrainRequest) -> bool:
    earlier = _config(folder)
    return earlier is not None and request.config.goes_on_from(earlier) and not request.config.asks_less_than(earlier)


@contextmanager
def work_in(folder: Path) -> Iterator[Work]:
    """`folder` as a work folder (a job keeps its own), locked while the block runs."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder) as free:
        if not free:
            raise UserError(f"Another process is working in {folder}; wait for it or cancel it first.")
        yield Work(folder)


@contextmanager
def _locked(folder: Path, wait: float = 0.5) -> Iterator[bool]:
    """Whether this process holds `folder` for the block. The system frees the lock of a process that was killed.

    `wait` (seconds) outlasts a page that merely looks which runs are unfinished.
    """
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=wait)
    except (Timeout, OSError):  # it is held, was removed meanwhile, or something that is no file has its lock's name
        yield False
        return
    try:
        yield folder.is_dir()  # its last owner may have removed it between our opening and our locking
    finally:
        lock.release()
