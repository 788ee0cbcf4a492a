"""All pairs of many dictionaries, from their provenance frames to the Jaccard matrix, beside Python sets."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from itda_core.bench.comparison.drawn import frames
from itda_core.bench.comparison.plan import ComparePlan
from itda_core.bench.peak import peak_growth
from itda_core.bench.pursuit.encoding_memory import GIVE_BACK
from itda_core.bench.surroundings import Surroundings
from itda_core.comparison import JaccardMatrix, LabelSet, jaccard_matrix
from itda_core.dictionaries import DictionarySpec, TrainConfig
from itda_core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_SPEC = DictionarySpec("drawn", None, "", "", 0, "resid_post", 1, "drawn", "")
_CONFIG = TrainConfig(k=1)


@dataclass(frozen=True)
class CompareBench:
    """Seconds from frames to all pairs' Jaccard; of the sets scaled up where not every pair was timed."""

    machine: Surroundings
    plan: ComparePlan
    seconds: float
    textbook_seconds: float
    textbook_built_seconds: float  # the part of textbook_seconds that makes the sets
    textbook_pairs: int  # that were timed, of plan.pairs
    peak_bytes: int | None  # that ours held at most beside the frames; None: could not be measured
    jaccard_median: float  # of all pairs
    jaccard_largest: float

    @property
    def speedup(self) -> float:
        return self.textbook_seconds / self.seconds


def compare_frames(several: Sequence[pd.DataFrame], tokens: int) -> JaccardMatrix:
    """Ours, as every caller runs it; tokens: of the text they are of."""
    sets = [LabelSet.from_frame(frame, _SPEC, _CONFIG, {"tokens": tokens}, str(i)) for i, frame in enumerate(several)]
    return jaccard_matrix(sets)


def bench_compare(plan: ComparePlan, on_step: Callable[[str], None] = lambda _: None) -> CompareBench:
    """Measure a plan; `on_step` gets what is being done.

    Raises UserError when there are fewer than two dictionaries, when they are larger than the text, and should a value
    differ from that of the sets.
    """
    n_prefixes = plan.documents * plan.tokens
    if plan.dictionaries < 2 or not 0 < plan.atoms < n_prefixes:
        raise UserError(
            f"{plan.dictionaries} dictionaries of {plan.atoms:,} atoms cannot be drawn from {n_prefixes:,} prefixes; "
            "ask for at least 2 of fewer atoms."
        )
    on_step("drawing dictionaries")
    several = frames(plan)
    on_step("comparing")
    times = []
    for _ in range(plan.repeats):
        begun = time.perf_counter()
        found = compare_frames(several, n_prefixes)
        times.append(time.perf_counter() - begun)
    on_step("Python sets")
    begun = time.perf_counter()
    sets = [_as_set(frame) for frame in several]
    built = time.perf_counter() - begun
    timed, paired = _pairs(plan, sets, found)
    on_step("memory")
    off_diagonal = found.jaccard[np.triu_indices(plan.dictionaries, 1)]
    return CompareBench(
        machine=Surroundings.of("cpu"),
        plan=plan,
        seconds=statistics.median(times),
        textbook_seconds=built + paired * plan.pairs / timed,
        textbook_built_seconds=built,
        textbook_pairs=timed,
        peak_bytes=_peak_apart(plan),
        jaccard_median=float(np.median(off_diagonal)),
        jaccard_largest=float(off_diagonal.max()),
    )


def _as_set(frame: pd.DataFrame) -> set[tuple[str, int, int]]:
    ends = (frame["char_end"] - 1).tolist()
    return set(zip(frame["document"].tolist(), frame["window_start"].tolist(), ends, strict=True))


def _pairs(plan: ComparePlan, sets: list[set[tuple[str, int, int]]], found: JaccardMatrix) -> tuple[int, float]:
    """How many pairs were compared, in a random order, and in how many seconds. Raises UserError when one differs."""
    first, second = np.triu_indices(plan.dictionaries, 1)
    order = np.random.default_rng(plan.seed).permutation(len(first))
    pairs = list(zip(first[order].tolist(), second[order].tolist(), strict=True))
    values: list[float] = []
    begun = time.perf_counter()
    for i, j in pairs:
        shared = len(sets[i] & sets[j])
        values.append(shared / (len(sets[i]) + len(sets[j]) - shared))
        if time.perf_counter() - begun > plan.sets_seconds:
            break
    seconds = time.perf_counter() - begun
    for (i, j), value in zip(pairs, values, strict=False):
        if value != found.jaccard[i, j]:
            raise UserError(f"Sets {i} and {j} have Jaccard {value}, ours says {found.jaccard[i, j]}; report this.")
    return len(values), seconds


def _peak_apart(plan: ComparePlan) -> int | None:
    """What ours holds at most, in a process of its own, whose allocator gives every freed block back at once."""
    root = str(Path(__file__).resolve().parents[3])
    known = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    finished = subprocess.run(
        [sys.executable, "-m", "itda_core.bench.comparison.run", json.dumps(asdict(plan))],
        env={**os.environ, **GIVE_BACK, "PYTHONPATH": known},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return int(finished.stdout) if finished.returncode == 0 else None


def _main(described: str) -> None:
    plan = ComparePlan(**json.loads(described))
    several = frames(plan)
    compare_frames(several[:2], plan.documents * plan.tokens)  # imports
    sys.stdout.write(str(peak_growth(lambda: compare_frames(several, plan.documents * plan.tokens), "cpu")))


if __name__ == "__main__":
    _main(sys.argv[1])
