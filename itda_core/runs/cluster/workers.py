"""The workers of a cluster, from their first start to the replacement of one that died."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from itda_core.errors import UserError
from itda_core.runs.cluster.worker import Worker

if TYPE_CHECKING:
    from itda_core.runs.training.request import TrainRequest

_THREADS = 4  # one that works, the others to answer meanwhile
_CORES = 1  # per worker, and with them torch's threads
PATIENCE = 60.0  # seconds that workers which are ready wait for those that are not yet


class Slot:
    """One worker's place: the process in it may be another one after a death."""

    def __init__(self, ray: Any, *, gpu: bool) -> None:
        self._ray, self._gpu = ray, gpu
        self.deaths = 0
        self.begin()

    def begin(self) -> None:
        """Start a process; Ray chooses the machine."""
        actor = self._ray.remote(num_cpus=_CORES, num_gpus=int(self._gpu), max_concurrency=_THREADS)(Worker)
        self.actor: Any = actor.remote(_CORES)
        self._starting: Any = self.actor.ready.remote()
        self.name = secrets.token_hex(8)  # of the process; the one that takes its place has another
        self.where: str | None = None

    def started(self) -> bool:
        """Whether the process is there. Raises UserError when it cannot be."""
        if self.where is None and self._ray.wait([self._starting], timeout=0)[0]:
            try:
                self.where = self._ray.get(self._starting)
            except self._ray.exceptions.RayError as error:
                message = " ".join(str(error).split())[-300:]
                raise UserError(
                    f"A worker of the cluster could not start ({message}); install this version of itda-studio, with "
                    "the extra cluster, on every host."
                ) from error
        return self.where is not None

    def replace(self) -> None:
        """The process died: start another."""
        self.deaths += 1
        self.kill()
        self.begin()

    def kill(self) -> None:
        """End the worker at once."""
        self._ray.kill(self.actor)


def start(ray: Any, request: TrainRequest, wanted: int | None = None) -> list[Slot]:
    """A worker per core of the cluster, or per GPU where there are some and the device asked for is not the CPU.

    At most `wanted`, and on each machine no more than its memory holds, as far as a training's needs are known.
    Raises UserError when the cluster has no core to give.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpu = request.model.device in ("auto", "cuda") and any(node.get("GPU", 0) >= 1 for node in nodes)
    needed = _memory(request)
    places = 0
    for node in nodes:
        fit = int(node.get("GPU" if gpu else "CPU", 0))
        if needed and "memory" in node:
            fit = min(fit, max(1, int(node["memory"] // needed)))
        places += fit
    if not places:
        raise UserError("The Ray cluster has no core to give; add a node (ray start) or give auto for this machine.")
    return [Slot(ray, gpu=gpu) for _ in range(places if wanted is None else min(places, wanted))]


def await_first(ray: Any, slots: list[Slot]) -> None:
    """Wait until all are there, or PATIENCE seconds after the first. Raises UserError when one cannot start."""
    first: float | None = None
    while True:
        there = sum([slot.started() for slot in slots])
        if there and first is None:
            first = time.monotonic()
        if there == len(slots) or (first is not None and time.monotonic() - first > PATIENCE):
            return
        time.sleep(0.05)


def n_layers(ray: Any, slot: Slot, request: TrainRequest) -> int:
    """How many layers the request's model has, found out by a worker. Raises UserError when it cannot be loaded."""
    try:
        return ray.get(slot.actor.n_layers.remote(asdict(request.model)))
    except UserError as error:  # Ray raises one that is also its own error, with a trace in its text
        raise UserError(str(getattr(error, "cause", error))) from None


def _memory(request: TrainRequest) -> int | None:
    """Bytes a worker needs at most; None where the model is not on this machine."""
    from itda_core.runs.costs.training import estimate

    return estimate(request).memory
