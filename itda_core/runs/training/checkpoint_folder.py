"""Checkpoint folders: where a run keeps its checkpoints until its dictionaries are in the library."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.storage.description import RUN, read_description
from itda_core.dictionaries.storage.json_schema import check, listed, number, optional, table, text, whole
from itda_core.errors import UserError
from itda_core.files import explained, read_json, write_json
from itda_core.fingerprints import same_model
from itda_core.runs.home import checkpoints_folder
from itda_core.runs.identities import folder_now
from itda_core.runs.training.request import TrainRequest

_STATE, _STREAMED, _REQUEST, _SAVED, _LOCK = "state", "streamed", "request.json", "saved.json", ".lock"
_RUN = "run.json"
HIDDEN_STATES = "hidden-states"
_RESULTS = listed(  # see training_run.TrainedDictionary
    table(
        {
            **{name: text() for name in ("path", "model", "site", "selection")},
            **{name: whole() for name in ("atoms", "d_model", "k", "tokens")},
            **{name: number() for name in ("seconds", "tokens_per_second", "mean_relative_error")},
            "layer": optional(whole()),
            "threshold": optional(number()),
        },
        # earlier versions wrote none of these
        {"identity": optional(text()), "fvu": optional(number()), "fvu_text": optional(text())},
    )
)


class Origin(NamedTuple):
    """What a training reads, by fingerprints."""

    model: str
    tokenizer: str
    corpus: str

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Origin:
        """The origin of a dictionary, from the `spec` of its dictionary.json."""
        return cls(spec["weights_fingerprint"], spec["tokenizer_fingerprint"], spec["corpus_fingerprint"])

    def same(self, other: Origin) -> bool:
        """Whether both read the same text by the same model."""
        return self[1:] == other[1:] and same_model(self.model, other.model)


@dataclass(frozen=True)
class CheckpointFolder:
    """One run's folder: `state/` is the training's own, `saved.json` says which dictionaries are in the library.

    `run` identifies it. A dictionary in the library holds the name of its run, so that one saved just before a kill,
    and missing in saved.json, is not saved a second time.
    """

    folder: Path
    run: str = ""  # "" where it is not needed
    resumed: bool = False  # whether an earlier session may have put dictionaries into the library

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
        """When what it holds to continue was last changed, in seconds since the epoch."""
        return max(path.stat().st_mtime for path in self._begun())

    def _begun(self) -> list[Path]:
        """The folders that hold something to continue."""
        return [
            folder
            for folder in (self.state, self.streamed / HIDDEN_STATES)
            if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())
        ]

    def saved(self, config: TrainConfig, origin: Origin) -> list[dict]:
        """The results of a training of `config` on `origin` that saved.json lists and the library still has, under
        whatever name.

        Such a list remains when the disk was full between two of them. A damaged one counts as empty, because the
        dictionaries hold the same facts.
        """
        path = self.folder / _SAVED
        if not path.exists():
            return []
        try:
            found = read_json(path, strict=True)
            check(found, _RESULTS, path, "remove it.")
        except UserError:
            return []
        placed = filter(None, map(_as_it_lies_now, found))
        return [result for result in placed if is_of(Path(result["path"]), config, origin)]

    def saved_sites(self, config: TrainConfig, origin: Origin) -> set[tuple[str, int | None]]:
        """Site and layer of each saved result."""
        return {(result["site"], result["layer"]) for result in self.saved(config, origin)}

    def record_saved(self, results: list[dict]) -> None:
        """Write down which dictionaries of this run are in the library."""
        write_json(self.folder / _SAVED, results)

    def remove(self) -> None:
        """Remove the folder: the run has ended, and its dictionaries are in the library."""
        shutil.rmtree(self.folder, ignore_errors=True)


def is_of(folder: Path, config: TrainConfig, origin: Origin, run: str | None = None) -> bool:
    """Whether a dictionary that a training of `config` on `origin` made lies in `folder`; run: only if it is from that
    run.
    """
    try:
        description = read_description(folder)
        made = TrainConfig.from_dict({"sinks": None, **description["config"]})
        wanted = replace(config, threshold=config.threshold_for(description["spec"]["d_model"]))
    except UserError:  # gone, damaged, or of another width than this threshold goes with
        return False
    return made == wanted and run in (None, description.get(RUN)) and origin.same(Origin.of(description["spec"]))


def _as_it_lies_now(result: dict[str, Any]) -> dict[str, Any] | None:
    """The result with the folder its dictionary has now: somebody may have renamed it while others grew; None where it
    was deleted. Earlier versions wrote no identity: those stay as they are.
    """
    if result.get("identity") is None:
        return result
    place = folder_now(Path(result["path"]), result["identity"])
    return None if place is None else {**result, "path": str(place)}


@dataclass(frozen=True)
class Unfinished:
    """A run that ended before its dictionaries were in the library; `itda train ... --resume` continues it."""

    folder: Path
    request: TrainRequest
    changed: float  # seconds since the epoch


def unfinished() -> list[Unfinished]:
    """Runs with a checkpoint that nobody is working on now, newest first. Jobs keep their own and are not listed."""
    root = checkpoints_folder()
    found = []
    for folder in root.iterdir() if root.is_dir() else ():
        if not CheckpointFolder(folder).begun or not (folder / _REQUEST).is_file():
            continue
        with _locked(folder, wait=0) as free:
            if not free or not CheckpointFolder(folder).begun:
                continue
            try:
                request = TrainRequest.from_dict(read_json(folder / _REQUEST))
            except UserError:  # of another version of the software: it cannot be continued by this one
                continue
            found.append(Unfinished(folder, request, CheckpointFolder(folder).changed))
    return sorted(found, key=lambda run: run.changed, reverse=True)


@contextmanager
def folder_of(request: TrainRequest, *, resume: bool, on_note: Callable[[str], None]) -> Iterator[CheckpointFolder]:
    """The checkpoint folder of `request`, locked while the block runs.

    With `resume` it is an unfinished run's: that of the same request, or else the newest that this one can go on from
    (see TrainConfig.goes_on_from), which is this request's from then on. Otherwise it is a new one; without `resume`, a
    note mentions an unfinished run of the same request, which is left as it is.
    """
    root = checkpoints_folder()
    with explained(root):
        root.mkdir(parents=True, exist_ok=True)
    key = request.key()
    earlier = [path for path in root.glob(f"{key}*") if path.is_dir()]
    begun = sorted(
        (path for path in earlier if CheckpointFolder(path).begun), key=lambda path: -CheckpointFolder(path).changed
    )
    same = [folder for folder in begun if _config(folder) == request.config]
    if resume:
        for folder in dict.fromkeys([*same, *(folder for folder in begun if _leads_to(folder, request))]):
            with _locked(folder) as free:
                if free and CheckpointFolder(folder).begun:
                    write_json(folder / _REQUEST, request.to_dict())
                    yield CheckpointFolder(folder, _run_of(folder), resumed=True)
                    return
    elif same:
        on_note("An unfinished run of the same training was found and left as it is; --resume would continue it.")
    number = 1
    while True:
        folder = root / (key if number == 1 else f"{key}-{number}")
        number += 1
        if CheckpointFolder(folder).begun:
            continue
        with explained(folder):
            folder.mkdir(exist_ok=True)
        with _locked(folder) as free:
            if free and not CheckpointFolder(folder).begun:
                try:
                    for left in (_SAVED, _RUN):  # of a run that was killed while it was being removed
                        (folder / left).unlink(missing_ok=True)
                    write_json(folder / _REQUEST, request.to_dict())
                    yield CheckpointFolder(folder, _run_of(folder))
                finally:
                    if not CheckpointFolder(folder).begun:  # it ended before anything was worth keeping
                        CheckpointFolder(folder).remove()
                return


def _config(folder: Path) -> TrainConfig | None:
    """The configuration of the run in `folder`; None where this version cannot read it."""
    try:
        return TrainRequest.from_dict(read_json(folder / _REQUEST)).config
    except UserError:
        return None


def _leads_to(folder: Path, request: TrainRequest) -> bool:
    earlier = _config(folder)
    return earlier is not None and request.config.goes_on_from(earlier) and not request.config.asks_less_than(earlier)


def _run_of(folder: Path) -> str:
    """The unique name of the run in `folder`, which is made up where it has none yet."""
    path = folder / _RUN
    try:
        stored = read_json(path, strict=True)
        if isinstance(stored, dict) and isinstance(stored.get("run"), str):
            return stored["run"]
    except UserError:
        pass
    name = secrets.token_hex(16)
    write_json(path, {"run": name})
    return name


@contextmanager
def folder_in(folder: Path, *, resume: bool) -> Iterator[CheckpointFolder]:
    """`folder` as the checkpoint folder of one run alone (a job keeps its own), locked while the block runs.

    resume: an earlier session may have worked there.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder) as free:
        if not free:
            raise UserError(f"Another process is working in {folder}; wait for it or cancel it first.")
        yield CheckpointFolder(folder, hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:32], resume)


@contextmanager
def _locked(folder: Path, wait: float = 0.5) -> Iterator[bool]:
    """Whether this process holds `folder` for the block. The system frees the lock of a process that was killed.

    `wait` (seconds) outlasts a page that only lists the unfinished runs.
    """
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=wait)
    except (Timeout, OSError):  # the lock is held, the folder was removed, or the lock's name is no file
        yield False
        return
    try:
        yield folder.is_dir()  # its last owner may have removed it between our opening and our locking
    finally:
        lock.release()
