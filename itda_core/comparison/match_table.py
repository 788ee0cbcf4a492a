"""What a study of layer matching found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from itda_core.comparison.layer_matching import MatchAccuracy

if TYPE_CHECKING:
    import numpy as np

DIGITS = 6  # of a similarity, kept


@dataclass(frozen=True)
class MeasureResult:
    """One measure of similarity, put to the task."""

    name: str
    accuracy: MatchAccuracy
    similarity: tuple[tuple[tuple[tuple[float, ...], ...], ...], ...]  # [model a][model b][layer of a][layer of b]
    seconds: float  # what the measure alone takes once the activations are there

    @classmethod
    def of(cls, name: str, similarity: np.ndarray, accuracy: MatchAccuracy, seconds: float) -> MeasureResult:
        """similarity: (n_models, n_models, n_layers, n_layers)."""
        return cls(name, accuracy, _tuples(similarity.round(DIGITS).tolist()), seconds)


@dataclass(frozen=True)
class MatchTable:
    """Every measure's similarities of all layers of all models, and how well each finds a layer's like."""

    models: tuple[str, ...]
    layers: tuple[int, ...]
    site: str
    corpus: str
    tokens: int  # compared: read by all models, attention sinks left out
    common_fraction: float  # of the tokens read, how many all models have read
    sinks_left_out: int
    sizes: tuple[tuple[int, ...], ...]  # atoms of each model's dictionary of each layer; () where none was grown
    harvest_seconds: float  # loading the models and running them over the text
    seconds: float  # of everything
    measures: tuple[MeasureResult, ...]
    config: dict[str, Any]  # of the dictionaries

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, the contract's keys first; `from_dict` gives the same table again."""
        return {
            "models": list(self.models),
            "layers": list(self.layers),
            "measures": {
                measure.name: {
                    "accuracy_all_pairs": measure.accuracy.all_pairs,
                    "accuracy_different_models": measure.accuracy.different_models,
                    "similarity": measure.similarity,
                    "seconds": measure.seconds,
                    "interval": measure.accuracy.interval,
                    "decisions_all_pairs": measure.accuracy.decisions_all_pairs,
                    "decisions_different_models": measure.accuracy.decisions_different_models,
                }
                for measure in self.measures
            },
            **{name: value for name, value in asdict(self).items() if name not in ("models", "layers", "measures")},
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> MatchTable:
        """Raises KeyError or TypeError for what `to_dict` did not make."""
        measures = tuple(
            MeasureResult(
                name,
                MatchAccuracy(
                    all_pairs=one["accuracy_all_pairs"],
                    different_models=one["accuracy_different_models"],
                    decisions_all_pairs=one["decisions_all_pairs"],
                    decisions_different_models=one["decisions_different_models"],
                    interval=None if one["interval"] is None else (one["interval"][0], one["interval"][1]),
                ),
                _tuples(one["similarity"]),
                one["seconds"],
            )
            for name, one in value["measures"].items()
        )
        lists = {name: _tuples(value[name]) for name in ("models", "layers", "sizes")}
        return cls(**{**value, **lists, "measures": measures})


def _tuples(value: Any) -> Any:
    """Nested lists as nested tuples."""
    return tuple(_tuples(item) for item in value) if isinstance(value, (list, tuple)) else value
