"""How a training ends: with dictionaries in the library, or interrupted with what was done kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary


class Interrupted(Exception):
    """A training was asked to stop and did; what it had done is kept in its work folder."""

    def __init__(self, tokens: int, total: int | None, when: str | None = None) -> None:
        """when: where tokens do not say it, as in "before block 3 was passed"."""
        self.tokens, self.total = tokens, total
        of = "" if total is None else f" of {total:,}"
        super().__init__(f"Stopped {when or f'after {tokens:,}{of} tokens'}; what was done is kept.")


@dataclass(frozen=True)
class TrainedDictionary:
    """One result of a training; the fields are the keys of `itda train --json`."""

    path: str
    model: str
    layer: int | None
    site: str
    atoms: int
    d_model: int
    k: int
    selection: str
    threshold: float | None  # None for the selections that know none
    tokens: int  # read from the corpus
    seconds: float
    tokens_per_second: float
    mean_relative_error: float  # over the stream, each token as judged before it could become an atom; 0 to 1

    @classmethod
    def of(cls, dictionary: AtomDictionary, path: Path) -> TrainedDictionary:
        """What is told of a `dictionary` that lies in the folder `path`."""
        spec, config, stats = dictionary.spec, dictionary.config, dictionary.stats
        return cls(
            path=str(path),
            model=spec.model,
            layer=spec.layer,
            site=spec.site,
            atoms=len(dictionary),
            d_model=spec.d_model,
            k=config.k,
            selection=config.selection,
            threshold=config.threshold_for(spec.d_model),
            tokens=stats["tokens"],
            seconds=stats["seconds"],
            tokens_per_second=stats["tokens_per_second"],
            mean_relative_error=stats["mean_relative_error"],
        )
