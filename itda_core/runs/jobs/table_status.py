"""What the worker of a job reports whose outcome is one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from itda_core.errors import UserError
from itda_core.files import finite
from itda_core.files.dataclass_schema import Unfit
from itda_core.runs.jobs.status import JobStatus, share_of


class Table(Protocol):
    """What JSON can hold and give back."""

    def to_dict(self) -> dict[str, Any]: ...
    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Raises UserError when `value` was not made by `to_dict`."""
        ...


T = TypeVar("T", bound=Table)


@dataclass(frozen=True)
class TableStatus(JobStatus, Generic[T]):
    """A job at one moment; the table is there when it is done."""

    share: float = 0.0  # of the work that is done, 0 to 1
    table: T | None = None

    _kind: ClassVar[type[Table]]  # of the table

    @property
    def fraction(self) -> float | None:
        return share_of(self.share)

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


def time_left(share: float, seconds: float) -> float | None:
    """Seconds until all is done, when `share` of it took `seconds`."""
    return seconds / share * (1 - share) if share > 0 else None
