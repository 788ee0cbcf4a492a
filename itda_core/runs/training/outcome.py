"""What a training ends with: dictionaries in the library."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from itda_core.files.dataclass_schema import ADDED

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary


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
    threshold: float | None  # None for selections without one
    tokens: int  # read from the corpus
    seconds: float
    tokens_per_second: float
    mean_relative_error: float  # over the stream, each token as judged before it could become an atom; 0 to 1
    identity: str | None = field(default=None, metadata=ADDED)  # of the dictionary, whatever it is called later
    fvu: float | None = field(default=None, metadata=ADDED)  # fraction of variance unexplained, on `fvu_text`
    fvu_text: str | None = field(default=None, metadata=ADDED)  # "held-out" or "training"

    @classmethod
    def of(cls, dictionary: AtomDictionary, path: Path) -> TrainedDictionary:
        """The result for a `dictionary` that lies in the folder `path`."""
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
            identity=dictionary.identity,
            fvu=stats.get("fvu"),
            fvu_text=stats.get("fvu_text"),
        )
