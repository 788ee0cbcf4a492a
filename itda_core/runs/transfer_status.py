"""What the worker of a transfer of labels reports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from itda_core.comparison.transfer import TransferTable
from itda_core.files import finite
from itda_core.runs.job_status import JobStatus

if TYPE_CHECKING:
    from itda_core.runs.transferring import TransferProgress


@dataclass(frozen=True)
class TransferStatus(JobStatus):
    """A transfer at one moment; the table is there when it is done."""

    share: float = 0.0  # of the work that is done, 0 to 1
    table: TransferTable | None = None

    @property
    def fraction(self) -> float | None:
        return self.share

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: what is not finite becomes null."""
        table = None if self.table is None else finite(self.table.to_dict())
        return {**super().to_dict(), "table": table}

    @classmethod
    def _own(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {"table": None if value["table"] is None else TransferTable.from_dict(value["table"])}

    def at(self, progress: TransferProgress) -> TransferStatus:
        """This status brought up to `progress`."""
        share = progress.share
        return replace(
            self,
            step=progress.step,
            seconds=progress.seconds,
            eta=progress.seconds / share * (1 - share) if share > 0 else None,
            share=share,
        )

    def with_table(self, table: TransferTable, seconds: float) -> TransferStatus:
        """This status once there is nothing left to do."""
        return replace(self, tokens=table.tokens, seconds=seconds, eta=None, share=1.0, table=table)
