"""A sweep over layers on two nodes of a cluster against one, one core each, on this machine."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from itda_core.dictionaries import AtomDictionary, TrainConfig
from itda_core.models import ModelSpec
from itda_core.runs import TrainRequest, cluster
from itda_core.runs.cluster.connection import loopback_only, ray_module

_STORE = 200 * 2**20  # bytes of each node for batches on their way


@dataclass(frozen=True)
class SweepTime:
    """One run on a cluster that was up already."""

    nodes: int
    seconds: float  # from the call to dictionaries in the library
    training_seconds: float  # since the first worker began to train
    busiest_seconds: float  # processor time of the busiest worker while training; shared caches lengthen it
    load: float  # mean number of processes that wanted a core in the minute before it began


@dataclass(frozen=True)
class ClusterSweep:
    """What `cluster_sweep` found."""

    model: str
    layers: int
    tokens: int
    cores: int  # of this machine; on fewer than the nodes have together they wait for each other
    one: SweepTime
    several: SweepTime
    identical: bool  # whether atoms and labels of all layers are the same

    @property
    def speedup(self) -> float:
        """One node's seconds over several nodes', worker start included."""
        return self.one.seconds / self.several.seconds

    @property
    def training_speedup(self) -> float:
        """The speedup of training alone, which a longer sweep approaches."""
        return self.one.training_seconds / self.several.training_seconds

    @property
    def work_speedup(self) -> float:
        """How evenly the work was shared: one node's processor time over that of the busiest of several.

        An upper bound: what `training_speedup` comes to where every node has a core that nobody else uses, Ray's own
        processes included, and no worker waits. Runs under unequal load cannot be compared; above `nodes` it is noise.
        """
        return self.one.busiest_seconds / self.several.busiest_seconds


def to_json(sweep: ClusterSweep) -> dict[str, Any]:
    """Plain values only."""
    speedups = ("speedup", "training_speedup", "work_speedup")
    return asdict(sweep) | {name: getattr(sweep, name) for name in speedups}


def remark(sweep: ClusterSweep) -> str:
    """The sweep in a few sentences."""
    one, several = sweep.one, sweep.several
    same = "the same atoms and labels" if sweep.identical else "DIFFERENT dictionaries"
    return (
        f"{several.nodes} Ray nodes of one core each on {sweep.cores} cores, {sweep.layers} layers of {sweep.model}, "
        f"{sweep.tokens:,} tokens: {one.seconds:.1f} s on one node, {several.seconds:.1f} s on {several.nodes}: "
        f"{sweep.speedup:.2f}x, training alone {one.training_seconds:.1f} and {several.training_seconds:.1f} s "
        f"({sweep.training_speedup:.2f}x), by the busiest worker's processor time {sweep.work_speedup:.2f}x; {same}."
    )


def cluster_sweep(
    model: str = "demo:0", *, layers: int = 6, tokens: int = 400_000, threshold: float = 0.3, nodes: int = 2
) -> ClusterSweep:
    """Train the first `layers` layers of `model` on `tokens` tokens of the bundled corpus, on one node and on `nodes`.

    Each node is a Ray node of its own, with one core, on this machine. Raises UserError where Ray is not installed.
    """
    from itda_core.runs.machine import machine

    with tempfile.TemporaryDirectory() as folder:
        times, results = [], []
        for count in (1, nodes):
            place = Path(folder) / str(count)
            request = TrainRequest(
                ModelSpec(model, device="cpu"),
                tuple(range(layers)),
                "demo",
                TrainConfig(tokens=tokens, threshold=threshold),
                library=str(place / "library"),
            )
            with _nodes(count) as address:
                timed = _timed(request, address, count, place / "work")
            times.append(timed[0])
            results.append(timed[1])
        identical = all(_same(one, several) for one, several in zip(*results, strict=True))
    return ClusterSweep(model, layers, tokens, machine().cores, times[0], times[1], identical)


def _timed(request: TrainRequest, address: str, nodes: int, work: Path) -> tuple[SweepTime, list[Path]]:
    seen: dict[str, tuple[float, dict[int, float]]] = {}
    load = os.getloadavg()[0]
    start = time.perf_counter()
    results = cluster.run(
        request,
        address=address,
        work=work,
        on_step=lambda name: seen.update({name: (time.perf_counter(), _processor_seconds())}),
    )
    end = time.perf_counter()
    (begun, before), (_, after) = seen["training"], seen["saving"]
    busiest = max(spent - before.get(process, 0.0) for process, spent in after.items())
    return SweepTime(nodes, end - start, end - begun, busiest, load), [Path(result.path) for result in results]


def _processor_seconds() -> dict[int, float]:
    """Processor time so far of each worker on this machine, by process."""
    found = {}
    for process in psutil.process_iter(["cmdline", "cpu_times"]):
        times = process.info["cpu_times"]
        if times and (process.info["cmdline"] or [""])[0].startswith("ray::Worker"):  # what Ray calls it
            found[process.pid] = times.user + times.system
    return found


def _same(one: Path, other: Path) -> bool:
    first, second = AtomDictionary.load(one), AtomDictionary.load(other)
    return first.atoms.equal(second.atoms) and first.provenance.equals(second.provenance)


@contextmanager
def _nodes(count: int) -> Iterator[str]:
    """The address of a new cluster of so many nodes on this machine, one core each."""
    loopback_only()
    ray_module()
    from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

    each: dict[str, Any] = {"num_cpus": 1, "object_store_memory": _STORE}
    head = {**each, "include_dashboard": False, "node_ip_address": "127.0.0.1"}
    found = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(count - 1):
            found.add_node(**each)
        yield str(found.address)
    finally:
        found.shutdown()
