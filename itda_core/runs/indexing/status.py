"""What the worker that makes an atom index reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from itda_core.runs.jobs.status import SharedStatus


@dataclass(frozen=True)
class IndexMade:
    """An atom index that is there."""

    folder: str
    dictionary: str  # its folder
    identity: str  # of the dictionary
    corpus: str
    text: str  # what the text is to the dictionary: "held-out", "training" or "other corpus"
    tokens: int
    windows: int
    entries: int
    sinks_left_out: int
    bytes: int  # on the disk
    seconds: float  # of work

    def to_dict(self) -> dict[str, Any]:
        """Plain values by the fields' names: the keys of `itda atoms index --json`."""
        return asdict(self)


@dataclass(frozen=True)
class IndexStatus(SharedStatus):
    """An index at one moment; `index` is there when it is done."""

    index: IndexMade | None = None

    OUTCOME = "index"

    def with_outcome(self, outcome: IndexMade, seconds: float) -> IndexStatus:
        """This status once there is nothing left to do. seconds: since the worker began."""
        return replace(self, index=outcome, share=1.0, tokens=outcome.tokens, eta=None)
