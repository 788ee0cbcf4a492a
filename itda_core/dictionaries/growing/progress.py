"""Where a training stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from itda_core.dictionaries.growing.growth import LayerProgress
from itda_core.dictionaries.training_stage import TrainingStage

if TYPE_CHECKING:
    from itda_core.dictionaries.dictionary import AtomDictionary


class Rates(NamedTuple):
    """Tokens per second of one session."""

    judged: float  # of those that could become atoms; as long as there are none, as `reckoned`
    reckoned: float  # by which the time left goes: tokens that were looked at ahead count, as all those later do

    @classmethod
    def of(cls, judged: int, ahead: int, seconds: float) -> Rates:
        """Of so many tokens judged, and so many looked at before the first was, in `seconds` of reading."""
        if seconds <= 0:
            return cls(0.0, 0.0)
        reckoned = max(judged, ahead) / seconds
        return cls(judged / seconds if judged else reckoned, reckoned)


@dataclass(frozen=True)
class TrainProgress:
    """Where a training stands after a forward batch, or after a step of what follows the reading."""

    tokens: int  # read so far, special ones not counted; of a text that is read again, over all passes
    total: int | None  # tokens to read; None: the whole corpus, whatever its length
    seconds: float  # of work, over all sessions
    tokens_per_second: float  # of this session; in the end that of all, as the dictionaries say it
    eta: float | None  # seconds to go; None while the total is unknown
    layers: tuple[LayerProgress, ...]
    done: bool = False
    dictionaries: tuple[AtomDictionary, ...] = ()  # one per layer, on the last progress only
    at: TrainingStage | None = None  # what is being done; None: the text is being read
    later: float = 0.0  # seconds that the stages behind this one will take, as far as is known
    rough: bool = False  # whether `eta` rests on a guess rather than on work of the kind that is left
    text_ended: bool = False  # whether the text ended before as many tokens were read as were wanted
    full: bool = False  # whether reading ended because all dictionaries have as many atoms as they may

    @property
    def stage(self) -> TrainingStage:
        """What is being done, and how far it is."""
        return self.at or TrainingStage("reading", self.tokens, self.total)

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
