"""Where a training stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from itda_core.dictionaries.growing.growth import LayerProgress
from itda_core.dictionaries.training_stage import TrainingStage

if TYPE_CHECKING:
    from itda_core.dictionaries.dictionary import AtomDictionary


class ReadingPace:
    """How fast one session reads: what its progress shows, what its time left goes by, what later trainings go by."""

    def __init__(self) -> None:
        self._judged = self._ahead = 0  # tokens; those looked at before the first could become an atom
        self._seconds = 0.0  # of this session in which text was read
        self._prepared: tuple[int, float] | None = None  # tokens and seconds when all that is done once was done

    def looked_ahead(self, tokens: int, seconds: float) -> None:
        """So many tokens were looked at, in `seconds` since the session began; none was judged yet."""
        self._ahead, self._seconds = tokens, seconds

    def judged(self, tokens: int, seconds: float) -> None:
        """So many tokens of this session were judged, in `seconds` since it began."""
        self._judged, self._seconds = tokens, seconds
        if self._prepared is None and tokens and tokens >= self._ahead:
            self._prepared = tokens, seconds

    @property
    def shown(self) -> float:
        """Tokens judged per second; as long as none was, `reckoned`."""
        return self._judged / self._seconds if self._judged and self._seconds > 0 else self.reckoned

    @property
    def reckoned(self) -> float:
        """Tokens per second by which the time left goes: those looked at ahead count, as all later ones are both."""
        return max(self._judged, self._ahead) / self._seconds if self._seconds > 0 else 0.0

    @property
    def steady(self) -> dict[str, float]:
        """Tokens, and the seconds they took, after those in which the pursuit was compiled and the mean was taken."""
        tokens, seconds = self._prepared or (self._judged, self._seconds)
        return {"tokens": self._judged - tokens, "seconds": max(0.0, self._seconds - seconds)}


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
