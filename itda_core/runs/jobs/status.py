"""What a job's worker reports, whatever it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar

from itda_core.errors import UserError
from itda_core.files import finite
from itda_core.files.dataclass_schema import Unfit, from_json
from itda_core.time_left import time_left

State = Literal["starting", "running", "done", "failed", "cancelled", "lost", "damaged"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled", "lost", "damaged")


@dataclass(frozen=True)
class JobStatus:
    """A job at one moment. `status.json` holds exactly this, and what a kind of job adds to it."""

    state: State = "starting"
    step: str = ""  # what a running worker is doing: "loading the model", "training", ...
    tokens: int = 0
    total: int | None = None
    seconds: float = 0.0
    eta: float | None = None  # seconds
    notes: tuple[str, ...] = ()
    error: str | None = None  # one sentence

    OUTCOME: ClassVar[str] = "results"  # the field that holds what the work has found
    LATER: ClassVar[tuple[str, ...]] = ()  # fields that an earlier version did not write; they have defaults

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def resumable(self) -> bool:
        """Whether starting it again makes sense: it ended without its results."""
        return self.ended and self.state != "done"

    @property
    def begun(self) -> bool:
        """Whether anything was done that a kind which continues would go on from."""
        return self.tokens > 0

    @property
    def fraction(self) -> float | None:
        """How much of the work is done, 0 to 1; None while the total is unknown."""
        return min(self.tokens / self.total, 1.0) if self.total else None

    @property
    def part(self) -> str:
        """Which part of the work it is at: a change of it is told at once."""
        return self.step

    def at_step(self, name: str) -> Self:
        """This status as another part of the work begins, which tells nothing yet but its name."""
        return replace(self, step=name)

    def following(self) -> Callable[[Self, Any], Self]:
        """A function that updates a status with a progress, for a worker that goes on from this status."""
        return lambda status, progress: status.at(progress)

    def at(self, progress: Any) -> Self:
        """This status brought up to `progress`: each field that the progress has as well becomes the progress's."""
        reported = {own.name: getattr(progress, own.name) for own in fields(self) if hasattr(progress, own.name)}
        return replace(self, **{"eta": time_left(progress.share, progress.seconds), **reported})

    def with_outcome(self, outcome: Any, seconds: float) -> Self:
        """This status once there is nothing left to do. seconds: since the worker began."""
        return replace(self, **{self.OUTCOME: outcome})

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: what is not finite becomes null."""
        return finite(asdict(self))

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Raises UserError when `value` was not made by `to_dict`."""
        try:
            if isinstance(value, dict):
                later = (own for own in fields(cls) if own.name in cls.LATER)
                value = {**finite({own.name: own.default for own in later}), **value}
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
        """Raises Unfit where fields contradict each other."""


@dataclass(frozen=True)
class SharedStatus(JobStatus):
    """The status of a job that reports which share of its work is done."""

    share: float = 0.0  # of the work that is done, 0 to 1

    @property
    def fraction(self) -> float | None:
        return min(max(self.share, 0.0), 1.0) if self.share == self.share else 0.0


class Table(Protocol):
    """What JSON can hold and give back."""

    def to_dict(self) -> dict[str, Any]:
        """The table as JSON."""
        ...

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Raises UserError when `value` was not made by `to_dict`."""
        ...


T = TypeVar("T", bound=Table)


@dataclass(frozen=True)
class TableStatus(SharedStatus, Generic[T]):
    """A job whose outcome is one table, which is there when it is done."""

    table: T | None = None

    OUTCOME = "table"
    _kind: ClassVar[type[Table]]  # of the table

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: what is not finite becomes null."""
        table = None if self.table is None else finite(self.table.to_dict())
        return {**super().to_dict(), "table": table}

    @classmethod
    def _own(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value.get("table") is None:
            return {}
        try:
            return {"table": cls._kind.from_dict(value["table"])}
        except UserError as error:
            raise Unfit("table", f"is damaged: {str(error).rstrip('.')}") from None
