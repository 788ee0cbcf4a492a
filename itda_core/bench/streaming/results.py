"""What the streaming bench found."""

from __future__ import annotations

from dataclasses import dataclass

from itda_core.bench.streaming.harvest_apart import Harvested
from itda_core.bench.streaming.plan import StreamPlan
from itda_core.bench.surroundings import Surroundings

SLACK = 1e-4  # of the largest value, up to which the activations of two strategies may differ


@dataclass(frozen=True)
class Read:
    """One way of reading a text's activations, and how its result compares."""

    name: str  # one of plan.STRATEGIES
    harvested: Harvested
    difference: float  # the most by which an activation along a fixed direction differs from the streamed one's, over
    # the largest; 0 for streamed itself


@dataclass(frozen=True)
class GrowthPoint:
    """One streamed harvest of a part of the model or of the text."""

    layers: int
    tokens: int
    seconds: float
    bytes_read: int
    planned_seconds: float  # what `itda plan` says of it
    planned_bytes: int

    @property
    def off(self) -> float:
        """By how much the plan's seconds miss those that were measured, as a fraction."""
        return self.planned_seconds / self.seconds - 1


@dataclass(frozen=True)
class StreamBench:
    """A whole run."""

    machine: Surroundings
    plan: StreamPlan
    checkpoint_bytes: int
    library_bytes: int  # resident memory of such a process before it does anything, libraries imported
    reads: tuple[Read, ...]
    short: tuple[Read, ...]  # the same with windows of a few tokens, where reading is what takes the time
    growth: tuple[GrowthPoint, ...]

    def speedup(self, read: Read, among: tuple[Read, ...]) -> float | None:
        """Over accelerate's disk offload in the same comparison; None when activations differ."""
        other = next(each for each in among if each.name == "accelerate_disk")
        if max(read.difference, other.difference) > SLACK:
            return None
        return other.harvested.seconds / read.harvested.seconds
