"""What a study of layer matching found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from itda_core.comparison.matching.accuracy import MatchAccuracy
from itda_core.errors import UserError
from itda_core.files.dataclass_schema import read_as

if TYPE_CHECKING:
    import numpy as np

DIGITS = 6  # of a similarity, kept


@dataclass(frozen=True)
class MeasureResult:
    """One measure of similarity and how well it matches layers."""

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
    """Every measure's similarities of all layers of all models, and how well each finds the same layer."""

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
        """Raises UserError for what `to_dict` did not make."""
        measures = value.get("measures") if isinstance(value, dict) else None
        if not isinstance(measures, dict):
            raise UserError("The table of a layer matching has no measures; make it anew.")
        listed = [_flat(name, one) for name, one in measures.items()]
        table = read_as(cls, {**value, "measures": listed}, "table of a layer matching")
        table._check()
        return table

    def _check(self) -> None:
        """Raises UserError where the parts are not of one study, on which every display relies."""
        n_models, n_layers = len(self.models), len(self.layers)
        shape = (n_models, n_models, n_layers, n_layers)
        whole = all(_shaped(measure.similarity, shape) for measure in self.measures)
        sizes = all(len(of_model) == n_layers for of_model in self.sizes) and len(self.sizes) in (0, n_models)
        if not (self.measures and n_models > 1 and n_layers > 1 and whole and sizes):
            raise UserError("The table of a layer matching lacks figures of its models and layers; make it anew.")


_ACCURACY = {
    "accuracy_all_pairs": "all_pairs",
    "accuracy_different_models": "different_models",
    "decisions_all_pairs": "decisions_all_pairs",
    "decisions_different_models": "decisions_different_models",
    "interval": "interval",
}


def _flat(name: str, one: object) -> object:
    """A measure in the contract's keys as one in MeasureResult's."""
    if not isinstance(one, dict):
        return one
    accuracy = {field: one[key] for key, field in _ACCURACY.items() if key in one}
    return {"name": name, "accuracy": accuracy, **{key: v for key, v in one.items() if key not in _ACCURACY}}


def _shaped(nested: Any, shape: tuple[int, ...]) -> bool:
    """Whether nested tuples have these lengths, all of one depth the same."""
    return not shape or (len(nested) == shape[0] and all(_shaped(inner, shape[1:]) for inner in nested))


def _tuples(value: Any) -> Any:
    """Nested lists as nested tuples."""
    return tuple(_tuples(item) for item in value) if isinstance(value, (list, tuple)) else value
