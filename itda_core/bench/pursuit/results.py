"""What the pursuit bench found."""

from __future__ import annotations

from dataclasses import dataclass

from itda_core.bench.pursuit.cases import Case
from itda_core.bench.pursuit.limits import Rates, Work, limit_seconds
from itda_core.bench.surroundings import Surroundings


@dataclass(frozen=True)
class CaseResult:
    """One case. Seconds are medians for all its tokens, the product x @ atoms.T included; None: could not be had."""

    case: Case
    textbook: str | None  # what it is compared with
    seconds: float | None = None
    textbook_seconds: float | None = None
    peak_bytes: int | None = None  # beside activations, atoms, Gram matrix and code
    gram_dtype: str | None = None  # of the Gram matrix it went by
    gram_seconds: float | None = None  # once per dictionary, not part of `seconds`
    warm_up_seconds: float | None = None  # the first call: compilation
    times_mp: float | None = None  # seconds over those of matching pursuit with the same dictionary
    relative_error: float | None = None  # mean over tokens
    textbook_relative_error: float | None = None  # of the same tokens
    rates: Rates | None = None
    work: Work | None = None
    notes: tuple[str, ...] = ()

    @property
    def speedup(self) -> float | None:
        """Textbook seconds over ours; None unless both ran and ours reconstructs no worse."""
        if not self.seconds or not self.textbook_seconds or not self.as_good:
            return None
        return self.textbook_seconds / self.seconds

    @property
    def limit_seconds(self) -> float | None:
        """Seconds of a perfect kernel; None where there is no honest model of one."""
        return limit_seconds(self.work, self.rates) if self.rates and self.work else None

    @property
    def fraction_of_limit(self) -> float | None:
        """Seconds of a perfect kernel over ours."""
        return self.limit_seconds / self.seconds if self.limit_seconds and self.seconds else None

    @property
    def as_good(self) -> bool:
        """Whether ours leaves no more than the textbook leaves, up to a thousandth of the activations' energy."""
        if self.relative_error is None or self.textbook_relative_error is None:
            return False
        return self.relative_error <= self.textbook_relative_error + 1e-3


@dataclass(frozen=True)
class GrowthPoint:
    """The fastest run's seconds at one size, and those of the product x @ atoms.T alone."""

    size: int
    seconds: float
    product_seconds: float


@dataclass(frozen=True)
class GrowthCurve:
    """How time grows with one size: time ~ size ** exponent. None with fewer than two sizes."""

    points: tuple[GrowthPoint, ...]
    exponent: float | None
    steps_exponent: float | None  # of the time beyond the product alone; None where nothing is left


@dataclass(frozen=True)
class GrowthResult:
    """Matching pursuit over each size alone, the others as in `fixed`."""

    fixed: Case
    tokens: GrowthCurve
    k: GrowthCurve
    atoms: GrowthCurve


@dataclass(frozen=True)
class MemoryPoint:
    """What encoding so many tokens holds at most beside activations, atoms, Gram matrix and code."""

    tokens: int
    peak_bytes: int
    code_bytes: int


@dataclass(frozen=True)
class PursuitBench:
    """A whole run on one device."""

    machine: Surroundings
    cases: tuple[CaseResult, ...]
    memory_case: Case
    memory: tuple[MemoryPoint, ...]
    growth: GrowthResult
