"""One process of a cluster, as Ray starts it: trains the dictionaries of some layers, or computes for those that do."""

from __future__ import annotations

import io
import os
import platform
import shutil
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from itda_core.errors import UserError
from itda_core.runs.archive import write_zip
from itda_core.runs.cluster.parcels import Parcel, newest_in
from itda_core.runs.training.request import TrainRequest

if TYPE_CHECKING:
    from itda_core.dictionaries import TrainProgress
    from itda_core.runs.cluster.shared_forward import Share

_SCRATCH = "itda-cluster-"  # then the process's number, which identifies what a killed process left behind
_STATE = "state"  # of a CheckpointFolder


@dataclass(frozen=True)
class Order:
    """What a worker is to train."""

    id: str  # no two orders have the same
    request: dict[str, Any]  # TrainRequest.to_dict()
    checkpoint: Parcel | None  # where to go on from
    checkpoint_seconds: float
    share: Share | None  # None: nobody shares its forward passes


@dataclass(frozen=True)
class Report:
    """Where a training stands."""

    order: str = ""  # its Order.id; "" before the first
    step: str = ""
    notes: tuple[str, ...] = ()  # all so far
    progress: TrainProgress | None = None
    checkpoint: str | None = None  # name of the newest


@dataclass(frozen=True)
class Outcome:
    """How a training ended: with zipped dictionaries, or, empty, with an error, or because it was stopped."""

    report: Report
    dictionaries: tuple[bytes, ...] = ()
    checkpoint: Parcel | None = None  # its last state, if it has one
    error: str | None = None  # a UserError's sentence


class Worker:
    """An actor with several threads: one works, the others answer the driver meanwhile."""

    def __init__(self, threads: int) -> None:
        """threads: of torch, as many as cores are given to this process."""
        self._threads = threads
        self._stop = threading.Event()
        self._report = Report()
        self._checkpoints: Path | None = None

    def ready(self) -> str:
        """Loads torch; says where this worker is."""
        self._one_thread_per_core()
        _sweep()
        return f"process {os.getpid()} on {platform.node()}"

    def train(self, order: Order) -> Outcome:
        """Train what `order` asks for with training.run, in a folder that is gone afterwards."""
        from itda_core.runs.training.run import Interrupted, run

        self._one_thread_per_core()
        self._stop.clear()
        self._report = Report(order.id)
        scratch = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{os.getpid()}-"))
        self._checkpoints = checkpoints = scratch / "work"
        try:
            if order.checkpoint is not None:
                order.checkpoint.unpack(checkpoints / _STATE)
            request = replace(TrainRequest.from_dict(order.request), library=str(scratch / "library"))
            last: list[Parcel] = []

            def step(name: str) -> None:
                self._report = replace(self._report, step=name)
                if name == "saving" and (path := newest_in(checkpoints / _STATE)):
                    last.append(Parcel.of(path))  # the folder is removed before the results are sent

            try:
                results = run(
                    request,
                    resume=order.checkpoint is not None,
                    work=checkpoints,
                    checkpoint_seconds=order.checkpoint_seconds,
                    on_step=step,
                    on_progress=self._progressed,
                    on_note=self._noted,
                    should_stop=self._stop.is_set,
                    source_of=None if order.share is None else _sharing(request, order.share),
                )
            except Interrupted:
                return Outcome(self._report, checkpoint=self.checkpoint())
            except UserError as error:
                return Outcome(self._report, checkpoint=self.checkpoint(), error=str(error))
            zipped = tuple(_zipped(Path(result.path)) for result in results)
            return Outcome(self._report, zipped, last[0] if last else None)
        finally:
            self._checkpoints = None
            shutil.rmtree(scratch, ignore_errors=True)

    def compute(self, request: dict[str, Any], share: Share) -> str | None:
        """Compute forward batches for a team's members until stopped; returns the sentence of a UserError, if any."""
        from itda_core.models import load_model
        from itda_core.runs.cluster.shared_forward import SharedForward
        from itda_core.text import Corpus

        self._one_thread_per_core()
        self._stop.clear()
        training = TrainRequest.from_dict(request)
        try:
            with SharedForward(load_model(training.model), Corpus.open(training.corpus), training, share) as source:
                source.compute_for_others(self._stop.is_set)
        except UserError as error:
            return str(error)
        return None

    def n_layers(self, model: dict[str, Any]) -> int:
        """How many layers a model has, which this machine may have to fetch first. Raises UserError."""
        from itda_core.models import ModelSpec, load_model

        return load_model(ModelSpec(**model)).n_layers

    def poll(self) -> Report:
        """The state of the training; of the one before (see `order`) until the worker has begun with its new order."""
        checkpoints = self._checkpoints
        newest = None if checkpoints is None else newest_in(checkpoints / _STATE)
        return replace(self._report, checkpoint=newest and newest.name)

    def checkpoint(self) -> Parcel | None:
        """The newest checkpoint; None where there is none, or where it is just being replaced."""
        checkpoints = self._checkpoints
        path = None if checkpoints is None else newest_in(checkpoints / _STATE)
        try:
            return None if path is None else Parcel.of(path)
        except FileNotFoundError:
            return None

    def stop(self) -> None:
        """The running training ends after its next forward batch and keeps its state."""
        self._stop.set()

    def _progressed(self, progress: TrainProgress) -> None:
        self._report = replace(self._report, progress=replace(progress, dictionaries=()))

    def _noted(self, note: str) -> None:
        self._report = replace(self._report, notes=(*self._report.notes, note))

    def _one_thread_per_core(self) -> None:
        import torch

        torch.set_num_threads(self._threads)  # with OpenMP it counts for the calling thread only


def _sharing(request: TrainRequest, share: Share) -> Any:
    from itda_core.runs.cluster.shared_forward import SharedForward

    return lambda model, corpus: SharedForward(model, corpus, request, share)


def _zipped(folder: Path) -> bytes:
    target = io.BytesIO()
    write_zip(folder, target)
    return target.getvalue()


def _sweep() -> None:
    """Remove what workers that were killed on this machine have left."""
    for path in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        number = path.name.removeprefix(_SCRATCH).partition("-")[0]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(path, ignore_errors=True)
