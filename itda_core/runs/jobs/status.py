"""What a job's worker reports, whatever it does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from itda_core.errors import UserError
from itda_core.files import finite
from itda_core.files.dataclass_schema import Unfit, from_json

State = Literal["starting", "running", "done", "failed", "cancelled", "lost", "damaged"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled", "lost", "damaged")


@dataclass(frozen=True)
class JobStatus:
    """A job at one moment. `status.json` holds exactly this, and what a kind of job adds to it."""

    state: State = "starting"
    step: str = ""  # what a running worker is at: "loading the model", "training", ...
    tokens: int = 0
    total: int | None = None
    seconds: float = 0.0
    eta: float | None = None  # seconds
    notes: tuple[str, ...] = ()
    error: str | None = None  # one sentence

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def resumable(self) -> bool:
        """Whether starting it again makes sense: it ended without its results."""
        return self.ended and self.state != "done"

    @property
    def fraction(self) -> float | None:
        """How much of the work is done, 0 to 1; None while the total is unknown."""
        return min(self.tokens / self.total, 1.0) if self.total else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: what is not finite becomes null."""
        return finite(asdict(self))

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Raises UserError when `value` was not made by `to_dict`."""
        try:
            status = from_json(cls, value, made=cls._own(value) if isinstance(value, dict) else {})
            status._check()
        except Unfit as unfit:
            raise UserError(
                f"A job's status cannot be read ({unfit}); remove the job, or start it again to have it written anew."
            ) from None
        return status

    @classmethod
    def _own(cls, value: dict[str, Any]) -> dict[str, Any]:
        """The fields a kind of job adds whose JSON has another form than their type. Raises Unfit."""
        return {}

    def _check(self) -> None:
        """Raises Unfit where what was read does not go together."""


def share_of(work: float) -> float:
    """What a worker said is done of its work, as a share from 0 to 1."""
    return min(max(work, 0.0), 1.0) if work == work else 0.0
