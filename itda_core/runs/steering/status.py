"""What the worker that steers reports."""

from __future__ import annotations

from dataclasses import dataclass, replace

from itda_core.analysis.interventions.effect import Piece
from itda_core.analysis.interventions.steered import Steered
from itda_core.runs.jobs.status import SharedStatus


@dataclass(frozen=True)
class SteeringStatus(SharedStatus):
    """A steering at one moment: what is written so far; `steered` is there when it is done."""

    before: tuple[Piece, ...] = ()
    after: tuple[Piece, ...] = ()
    steered: Steered | None = None

    OUTCOME = "steered"

    def with_outcome(self, outcome: Steered, seconds: float) -> SteeringStatus:
        """This status once there is nothing left to do. seconds: since the worker began."""
        written = outcome.continuations
        both = {} if written is None else {"before": written.before, "after": written.after}
        return replace(
            self, steered=outcome, share=1.0, seconds=seconds, eta=None, tokens=len(both.get("after", ())), **both
        )
