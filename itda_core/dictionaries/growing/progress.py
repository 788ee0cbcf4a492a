"""Where a training stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from itda_core.dictionaries.growing.growth import LayerProgress

if TYPE_CHECKING:
    from itda_core.dictionaries.dictionary import AtomDictionary


@dataclass(frozen=True)
class TrainProgress:
    """Where a training stands after a forward batch."""

    tokens: int  # read so far, special ones not counted; of a text that is read again, over all passes
    total: int | None  # tokens to read; None: the whole corpus, whatever its length
    seconds: float  # of work, over all sessions
    tokens_per_second: float  # of this session
    eta: float | None  # seconds to go; None while the total is unknown
    layers: tuple[LayerProgress, ...]
    done: bool = False
    dictionaries: tuple[AtomDictionary, ...] = ()  # one per layer, on the last progress only

    @property
    def atoms(self) -> int:
        """Of the first layer."""
        return self.layers[0].atoms

    @property
    def choosing(self) -> str | None:
        """The current step of a selection that chooses atoms once the text is read."""
        begun = [layer for layer in self.layers if layer.step]
        if not begun:
            return None
        where = begun[-1].site if begun[-1].layer is None else f"layer {begun[-1].layer}"
        return f"choosing atoms of {where}: step {begun[-1].step} of {begun[-1].steps}"

    @property
    def relative_error(self) -> float:
        """The running mean of the first layer, 0 to 1."""
        return self.layers[0].relative_error
