"""What the worker of a transfer of labels reports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from itda_core.comparison.label_transfer.transfer import TransferTable
from itda_core.runs.jobs.table_status import TableStatus, time_left

if TYPE_CHECKING:
    from itda_core.runs.transfer.run import TransferProgress


@dataclass(frozen=True)
class TransferStatus(TableStatus[TransferTable]):
    """A transfer at one moment; the table is there when it is done."""

    _kind: ClassVar[type[TransferTable]] = TransferTable

    def at(self, progress: TransferProgress) -> TransferStatus:
        """This status brought up to `progress`."""
        return replace(
            self,
            step=progress.step,
            seconds=progress.seconds,
            eta=time_left(progress.share, progress.seconds),
            share=progress.share,
        )

    def with_table(self, table: TransferTable, seconds: float) -> TransferStatus:
        """This status once there is nothing left to do."""
        return replace(self, tokens=table.tokens, seconds=seconds, eta=None, share=1.0, table=table)
