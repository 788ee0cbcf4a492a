"""What a job's worker reports, whatever it does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from itda_core.errors import UserError
from itda_core.files import finite

State = Literal["starting", "running", "done", "failed", "cancelled", "lost"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled", "lost")


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
            if value["state"] not in get_args(State):
                raise ValueError(value["state"])
            return cls(**{**value, "notes": tuple(value["notes"]), **cls._own(value)})
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"A job's status cannot be read ({error}); remove the job and start it again.") from None

    @classmethod
    def _own(cls, value: dict[str, Any]) -> dict[str, Any]:
        """The fields a kind of job adds that JSON does not give back as they were."""
        return {}
