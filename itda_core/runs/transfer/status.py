"""What the worker of a transfer of labels reports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from itda_core.comparison.label_transfer.transfer import TransferTable
from itda_core.runs.jobs.status import TableStatus


@dataclass(frozen=True)
class TransferStatus(TableStatus[TransferTable]):
    """A transfer at one moment; the table is there when it is done."""

    _kind: ClassVar[type[TransferTable]] = TransferTable

    def with_outcome(self, outcome: TransferTable, seconds: float) -> TransferStatus:
        """This status once there is nothing left to do. seconds: since the worker began."""
        return replace(self, tokens=outcome.tokens, seconds=seconds, eta=None, share=1.0, table=outcome)
