"""What an evaluation's worker reports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from itda_core.analysis.evaluate import Evaluation
from itda_core.dictionaries.config import METHODS
from itda_core.files.dataclass_schema import Unfit
from itda_core.runs.jobs.status import JobStatus, share_of

if TYPE_CHECKING:
    from itda_core.analysis import EvaluationProgress


@dataclass(frozen=True)
class EvaluationStatus(JobStatus):
    """An evaluation at one moment; `results` are as they stand, each over the tokens it names."""

    share: float = 0.0  # of the work that is done, 0 to 1
    results: tuple[Evaluation, ...] = ()

    @property
    def fraction(self) -> float | None:
        return share_of(self.share)

    def _check(self) -> None:
        for i, result in enumerate(self.results):
            if result.method not in METHODS:
                raise Unfit(f"results[{i}].method", f"is none of {', '.join(METHODS)}")

    def at(self, progress: EvaluationProgress) -> EvaluationStatus:
        """This status brought up to `progress`."""
        return replace(
            self,
            step=progress.step,
            tokens=max((result.tokens for result in progress.results), default=0),
            seconds=progress.seconds,
            eta=progress.eta,
            notes=progress.notes,
            share=progress.share,
            results=progress.results,
        )
