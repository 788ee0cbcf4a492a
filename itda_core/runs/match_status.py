"""What the worker of a study of layer matching reports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from itda_core.comparison.match_table import MatchTable
from itda_core.files import finite
from itda_core.runs.job_status import JobStatus

if TYPE_CHECKING:
    from itda_core.comparison.match import MatchProgress


@dataclass(frozen=True)
class MatchStatus(JobStatus):
    """A study at one moment; the table is there when it is done."""

    share: float = 0.0  # of the work that is done, 0 to 1
    table: MatchTable | None = None

    @property
    def fraction(self) -> float | None:
        return self.share

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: what is not finite becomes null."""
        table = None if self.table is None else finite(self.table.to_dict())
        return {**super().to_dict(), "table": table}

    @classmethod
    def _own(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {"table": None if value["table"] is None else MatchTable.from_dict(value["table"])}

    def at(self, progress: MatchProgress) -> MatchStatus:
        """This status brought up to `progress`."""
        share = progress.share
        return replace(
            self,
            step=progress.step,
            tokens=progress.tokens,
            seconds=progress.seconds,
            eta=progress.seconds / share * (1 - share) if share > 0 else None,
            notes=progress.notes,
            share=share,
            table=progress.table,
        )
