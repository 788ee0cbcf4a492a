"""What an evaluation's worker reports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from itda_core.analysis.evaluate import Evaluation
from itda_core.dictionaries.config import METHODS
from itda_core.files.dataclass_schema import Unfit
from itda_core.runs.jobs.status import SharedStatus

if TYPE_CHECKING:
    from itda_core.analysis import EvaluationProgress


@dataclass(frozen=True)
class EvaluationStatus(SharedStatus):
    """An evaluation at one moment; `results` are as they stand, each over the tokens it names."""

    results: tuple[Evaluation, ...] = ()

    def _check(self) -> None:
        for i, result in enumerate(self.results):
            if result.method not in METHODS:
                raise Unfit(f"results[{i}].method", f"is none of {', '.join(METHODS)}")

    def at(self, progress: EvaluationProgress) -> EvaluationStatus:
        """This status brought up to `progress`."""
        return replace(super().at(progress), tokens=max((result.tokens for result in progress.results), default=0))
