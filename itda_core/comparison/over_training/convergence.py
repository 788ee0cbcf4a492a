"""When in training each layer's dictionary settles: each checkpoint's beside the last one's (paper, appendix A.4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from itda_core.arguments import plain
from itda_core.comparison.label_sets import LabelSet
from itda_core.comparison.overlap.jaccard import jaccard_matrix
from itda_core.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from itda_core.text.corpus import Corpus

_MATRICES = ("jaccard", "low", "high", "comparable_fraction", "null_jaccard", "z")  # of a Jaccard matrix's fields


@dataclass(frozen=True, eq=False)
class Convergence:
    """Jaccard of each checkpoint's dictionary of a layer with the last checkpoint's of the same layer.

    Matrices (n_checkpoints, n_layers); the last row is 1. NaN where not known (the chance level) or where a checkpoint
    has no dictionary of the layer.
    """

    checkpoints: tuple[int, ...]  # training steps, or other numbers that tell their order, ascending
    layers: tuple[int, ...]  # ascending
    jaccard: np.ndarray
    low: np.ndarray | None  # bootstrap interval over documents
    high: np.ndarray | None
    comparable_fraction: np.ndarray
    null_jaccard: np.ndarray
    z: np.ndarray
    given_names: tuple[str, ...] = ()  # of the checkpoints; none: they are called by their steps

    @property
    def names(self) -> tuple[str, ...]:
        """What figures call the checkpoints."""
        return self.given_names or tuple(f"step {step:,}" for step in self.checkpoints)

    def reached(self, share: float) -> tuple[int | None, ...]:
        """For each layer the first checkpoint from which on Jaccard stays at least `share`, as far as it is known;
        None: only the last.
        """
        found = []
        for column in self.jaccard.T:
            enough = np.isnan(column) | (column >= share)
            settled = [i for i in range(len(column) - 1) if enough[i:].all() and not np.isnan(column[i])]
            found.append(self.checkpoints[settled[0]] if settled else None)
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; None where not known."""
        found: dict[str, Any] = {
            "checkpoints": list(self.checkpoints),
            "names": list(self.names),
            "layers": list(self.layers),
        }
        for name in _MATRICES:
            value = getattr(self, name)
            rows = None if value is None else value.tolist()
            found[name] = rows and [[None if cell != cell else cell for cell in row] for row in rows]
        return found


def convergence(
    sets: Mapping[tuple[int, int], LabelSet],
    *,
    names: Sequence[str] = (),
    corpus: Corpus | None = None,
    tokenizers: Mapping[str, PreTrainedTokenizerBase] | None = None,
    null: str = "uniform",
    interval: bool = False,
    seed: int = 0,
) -> Convergence:
    """sets: by (checkpoint, layer); names: what figures call the checkpoints, in their order; corpus, tokenizers, null,
    interval and seed as for `jaccard_matrix`.

    Raises UserError when there are fewer than two checkpoints, when the last one lacks a layer, and as jaccard_matrix
    does.
    """
    sets = {(plain(checkpoint), plain(layer)): labels for (checkpoint, layer), labels in sets.items()}
    checkpoints, layers = (sorted({key[part] for key in sets}) for part in (0, 1))
    if len(checkpoints) < 2:
        raise UserError(f"Convergence takes at least two checkpoints, not {len(checkpoints)}; give more.")
    assert not names or len(names) == len(checkpoints), "one name each"
    last = names[-1] if names else f"step {checkpoints[-1]:,}"
    found = {name: np.full((len(checkpoints), len(layers)), np.nan) for name in _MATRICES}
    for column, layer in enumerate(layers):
        if (checkpoints[-1], layer) not in sets:
            raise UserError(
                f"The last checkpoint, {last}, has no dictionary of layer {layer} to compare the others "
                "with; train it, or leave the layer out."
            )
        rows = [row for row, checkpoint in enumerate(checkpoints) if (checkpoint, layer) in sets]
        found["jaccard"][-1, column] = 1.0
        if len(rows) < 2:
            continue
        matrix = jaccard_matrix(
            [sets[checkpoints[row], layer] for row in rows],
            corpus=corpus,
            tokenizers=tokenizers,
            null=null,
            interval=interval,
            seed=seed,
        )
        for name in _MATRICES:
            if (beside := getattr(matrix, name)) is not None:
                found[name][rows, column] = beside[:, -1]
    bounds: dict[str, Any] = {} if interval else {"low": None, "high": None}
    return Convergence(tuple(checkpoints), tuple(layers), **found | bounds, given_names=tuple(names))
