"""Ours and the references timed in turn, so that a slow spell of the machine meets all of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from itda_core.bench.pursuit.cases import Case, Plan
from itda_core.bench.pursuit.encoding_memory import encode_case
from itda_core.bench.pursuit.reference import Reference
from itda_core.bench.synthetic import Atoms, inputs_of
from itda_core.bench.timing import timed
from itda_core.pursuit import reconstruct, relative_error


@dataclass
class Runner:
    """What is timed on a case. `errors`: relative error of each token of the first input it was given."""

    case: Case
    dictionary: Atoms
    seconds: list[float] = field(default_factory=list)
    errors: Tensor | None = None
    failure: str | None = None

    @property
    def median(self) -> float | None:
        """Median seconds of a run; None where it could not run."""
        return statistics.median(self.seconds) if self.seconds else None


@dataclass
class Ours(Runner):
    """This package's pursuit."""

    warm_up_seconds: float | None = None


@dataclass
class Rival(Runner):
    """A reference; its seconds are those of `reference.tokens` tokens."""

    reference: Reference = field(kw_only=True)


def race(
    plan: Plan, ours: Sequence[Ours], rivals: Sequence[Rival], device: str, on_step: Callable[[str], None]
) -> None:
    """Warm all up, then time them by `plan`. All cases have the same tokens, dictionary size and k."""
    inputs = inputs_of(ours[0].case, plan.inputs, device)
    for runner in ours:
        on_step(f"{runner.case.name}: first call")
        _warm_up(runner, inputs[0], device)
    for rival in rivals:
        with _out_of_memory_is_failure(rival):
            rival.reference.run(_for(rival, inputs[0]), rival.dictionary, min(2, rival.case.k))
    calls = 0
    for turn in range(plan.rounds):
        for rival in rivals:
            on_step(f"n={rival.case.n_atoms} d={rival.case.d_model}: {rival.reference.name}")
            _time_rival(rival, inputs[turn % plan.inputs])
        for _ in range(plan.ours_per_round):
            calls += 1  # the first input was the last one to be seen
            for runner in ours:
                on_step(runner.case.name)
                _time_ours(runner, inputs[calls % plan.inputs], device)


def _warm_up(runner: Ours, x: Tensor, device: str) -> None:
    case, dictionary = runner.case, runner.dictionary
    with _out_of_memory_is_failure(runner):
        runner.warm_up_seconds, code = timed(lambda: encode_case(case, x, dictionary), device)
        runner.errors = relative_error(x, reconstruct(code, dictionary.atoms))


def _time_ours(runner: Ours, x: Tensor, device: str) -> None:
    if runner.failure is None:
        with _out_of_memory_is_failure(runner):
            seconds, _ = timed(lambda: encode_case(runner.case, x, runner.dictionary), device)
            runner.seconds.append(seconds)


def _for(rival: Rival, x: Tensor) -> Tensor:
    """As many activations as the reference takes, where it runs."""
    return x[: rival.reference.tokens].to(rival.dictionary.atoms.device)


def _time_rival(rival: Rival, x: Tensor) -> None:
    if rival.failure is not None:
        return
    x = _for(rival, x)
    with _out_of_memory_is_failure(rival):
        seconds, dense = timed(lambda: rival.reference.run(x, rival.dictionary, rival.case.k), x.device.type)
        rival.seconds.append(seconds)
        if rival.errors is None:
            rival.errors = relative_error(x, dense @ rival.dictionary.atoms)


@contextmanager
def _out_of_memory_is_failure(runner: Runner) -> Iterator[None]:
    """A runner that runs out of memory has no time at all, and the others go on."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        runner.failure = "ran out of memory"
        runner.seconds.clear()
        runner.errors = None
