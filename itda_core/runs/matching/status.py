"""What the worker of a study of layer matching reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from itda_core.comparison.matching.table import MatchTable
from itda_core.runs.jobs.status import TableStatus


@dataclass(frozen=True)
class MatchStatus(TableStatus[MatchTable]):
    """A study at one moment; the table is there when it is done."""

    _kind: ClassVar[type[MatchTable]] = MatchTable
