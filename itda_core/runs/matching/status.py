"""What the worker of a study of layer matching reports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from itda_core.comparison.matching.table import MatchTable
from itda_core.runs.jobs.table_status import TableStatus, time_left

if TYPE_CHECKING:
    from itda_core.comparison.matching.study import MatchProgress


@dataclass(frozen=True)
class MatchStatus(TableStatus[MatchTable]):
    """A study at one moment; the table is there when it is done."""

    _kind: ClassVar[type[MatchTable]] = MatchTable

    def at(self, progress: MatchProgress) -> MatchStatus:
        """This status brought up to `progress`."""
        return replace(
            self,
            step=progress.step,
            tokens=progress.tokens,
            seconds=progress.seconds,
            eta=time_left(progress.share, progress.seconds),
            notes=progress.notes,
            share=progress.share,
            table=progress.table,
        )
