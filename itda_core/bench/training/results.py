"""What the training bench found."""

from __future__ import annotations

from dataclasses import dataclass

from itda_core.bench.surroundings import Surroundings
from itda_core.bench.training.missed import Missed
from itda_core.bench.training.plan import METHODS, WINDOWS_PER_BATCH, TrainingPlan

SLACK = 2e-3  # by how much the FVU of ours may exceed the textbook's where a speedup is claimed


@dataclass(frozen=True)
class BuiltCase:
    """One way to build a dictionary. None: could not be had, or does not apply."""

    name: str  # "ours", "textbook", "topk_sae", and others of their kinds
    what: str  # in a few words
    k: int  # atoms per token while it was built
    d_model: int
    n_atoms: int | None = None
    seconds: float | None = None  # median where there were several runs
    tokens: int | None = None  # seen, every pass counted
    missed: tuple[Missed, ...] = ()  # of the held-out activations
    threshold: float | None = None  # in the selection's own unit
    trials: int | None = None  # runs that it took to find this threshold, not part of `seconds`
    passes: float | None = None  # over the activations, where there were several
    textbook: str | None = None  # the case that builds the same by the textbook
    textbook_seconds: float | None = None
    shared_with_textbook: float | None = None  # atoms that are in both, as a share of ours
    as_good: bool = True  # whether it misses no more than the textbook's, up to SLACK
    notes: tuple[str, ...] = ()

    @property
    def speedup(self) -> float | None:
        """Textbook seconds over ours; None unless both ran and ours is as good."""
        if not self.seconds or not self.textbook_seconds or not self.as_good:
            return None
        return self.textbook_seconds / self.seconds

    def fvu(self, k: int, method: str, tokens: int) -> float | None:
        """What it misses of so many held-out tokens; None where that was not measured."""
        for missed in self.missed:
            if (missed.k, missed.method, missed.tokens) == (k, method, tokens):
                return missed.fvu
        return None


@dataclass(frozen=True)
class SizesAtThreshold:
    """How many atoms two rules take of the same tokens at one threshold, without a limit."""

    relative_error: float  # the threshold; the paper's rule at what is equivalent to it
    paper_threshold: float  # in the published code's unit
    k: int
    tokens: int
    sequential_atoms: int
    paper_atoms_by_windows: dict[int, int]  # per number of windows in a batch, on which the paper's rule depends

    @property
    def paper_atoms(self) -> int:
        """In batches as `itda train` makes them."""
        return self.paper_atoms_by_windows[WINDOWS_PER_BATCH]

    @property
    def ratio(self) -> float:
        """Sequential atoms over those of the paper's rule."""
        return self.sequential_atoms / self.paper_atoms


@dataclass(frozen=True)
class TrainingBench:
    """A whole run on one device."""

    plan: TrainingPlan
    machine: Surroundings
    corpus: str
    read: int  # tokens that the corpus gave, or as many as were wanted
    cases: tuple[BuiltCase, ...]
    sizes: SizesAtThreshold
    notes: tuple[str, ...] = ()

    def case(self, name: str) -> BuiltCase | None:
        """The case of that name."""
        return next((case for case in self.cases if case.name == name), None)

    def fraction(self, case: BuiltCase) -> float | None:
        """Seconds of a case over those of the SAE of the same k."""
        sae = self.case("topk_sae")
        if sae is None or not sae.seconds or case.seconds is None or case is sae:
            return None
        return case.seconds / sae.seconds

    def speedup_over_batches(self, case: BuiltCase) -> float | None:
        """Seconds of the textbook's quickest way, batch by batch, over those of a case of ours, whatever its rule.

        None where the case's dictionary misses more than the one it is compared with, up to SLACK.
        """
        batches = self.case("textbook_paper")
        if batches is None or not batches.seconds or not case.seconds or not case.name.startswith("ours"):
            return None
        at = (self.plan.k, METHODS[-1], self.plan.held_out)
        own, theirs = case.fvu(*at), batches.fvu(*at)
        if own is None or theirs is None or own > theirs + SLACK:
            return None
        return batches.seconds / case.seconds
