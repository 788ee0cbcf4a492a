"""The stages of a training: each has a name, and is counted in a unit of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from itda_core.files.dataclass_schema import ADDED

StageName = Literal["passing", "ahead", "reading", "choosing", "labelling", "held-out", "measuring", "saving"]


@dataclass(frozen=True)
class TrainingStage:
    """Which part of its work a training is at, and how far.

    The unit of `done` and `total` goes by the name: windows that have passed a block of a streamed model ("passing"),
    tokens ("ahead": the first ones, for their mean and norms; "reading"; "held-out": text to measure on), rounds
    ("choosing" the atoms of a dictionary), labels of its atoms ("labelling"), dictionaries ("measuring", "saving").
    """

    name: StageName
    done: int
    total: int | None  # None: not known before the text has ended
    layer: int | None = None  # of the dictionary at hand, where one is and where it has one
    number: int = 1  # which dictionary (or block, while windows pass it) is at hand, from 1
    of: int = 1  # of how many
    about: bool = field(default=False, metadata=ADDED)  # whether `total` is an estimate

    @property
    def share(self) -> float | None:
        """How much of the stage is done, 0 to 1; None where that is not known."""
        return min(self.done / self.total, 1.0) if self.total else None
