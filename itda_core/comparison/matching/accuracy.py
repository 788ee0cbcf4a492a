"""Layer matching: is a layer most like the same layer of another model? (Kornblith et al. 2019, section 6.1)"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from itda_core.errors import UserError

if TYPE_CHECKING:
    import numpy as np

_NORMAL = 1.959963984540054  # standard deviations of a 95% interval


@dataclass(frozen=True)
class MatchAccuracy:
    """How often the same layer was found.

    `all_pairs` counts every ordered pair of models, a model against itself too, as the ITDA paper's table 1 does;
    there a layer is compared with itself, which is right for free. None where there is but one model.
    """

    all_pairs: float  # share of right decisions, 0 to 1
    different_models: float | None
    decisions_all_pairs: int
    decisions_different_models: int
    interval: tuple[float, float] | None  # Wilson's, 95%, of `different_models`, as if decisions were independent


def accuracy(similarity: np.ndarray) -> MatchAccuracy:
    """The accuracy of layer matching by `similarity` (n_models, n_models, n_layers, n_layers).

    similarity[a, b, i, j] compares layer i of model a with layer j of model b. For every ordered pair of models and
    every layer of the first, the most similar layer of the second is the decision; it is right when it is the same
    layer and no other is exactly as similar. All models have the same layers (see `same_layers`). Raises UserError for
    another shape, fewer than two layers (every decision would be right), or values that are not finite.
    """
    import numpy as np

    if similarity.ndim != 4 or similarity.shape[0] != similarity.shape[1] or similarity.shape[2] != similarity.shape[3]:
        raise UserError(
            f"Similarities of shape {similarity.shape} cannot be matched; give (n_models, n_models, n_layers, "
            "n_layers)."
        )
    n_models, n_layers = similarity.shape[0], similarity.shape[2]
    if n_layers < 2 or n_models < 1:
        raise UserError(f"With {n_layers} layer(s) there is nothing to match; compare at least two layers.")
    if not np.isfinite(similarity).all():
        raise UserError("Similarities that are not finite cannot be matched; leave those sites out.")
    own = np.diagonal(similarity, axis1=2, axis2=3)  # (n_models, n_models, n_layers)
    right = (own == similarity.max(axis=3)) & ((similarity == own[..., None]).sum(axis=3) == 1)
    different = right[~np.eye(n_models, dtype=bool)]
    if not different.size:
        return MatchAccuracy(float(right.mean()), None, right.size, 0, None)
    interval = wilson(int(different.sum()), different.size)
    return MatchAccuracy(float(right.mean()), float(different.mean()), right.size, different.size, interval)


def wilson(right: int, decisions: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share of `right` in `decisions` (Wilson 1927, "Probable inference")."""
    share, squared = right / decisions, _NORMAL**2 / decisions
    centre = (share + squared / 2) / (1 + squared)
    half = _NORMAL * math.sqrt(share * (1 - share) / decisions + squared / (4 * decisions)) / (1 + squared)
    # Its ends are exactly 0 and 1 where none or all were right; rounding would miss them.
    return centre - half if right else 0.0, centre + half if right < decisions else 1.0


def same_layers(models: Sequence[str], n_layers: Sequence[int], layers: Sequence[int] | None) -> tuple[int, ...]:
    """The layers to match: `layers`, or all of models that have equally many.

    Which layer is "the same" in models of different depths nobody can say, so that such models are refused unless
    `layers`, all of which every model must have, are named. Raises UserError.
    """
    if layers is None:
        if len(set(n_layers)) > 1:
            depths = ", ".join(f"{model} {count}" for model, count in zip(models, n_layers, strict=True))
            raise UserError(
                f"These models have different numbers of layers ({depths}), so that no layer of one is the same as "
                f"that of another; name layers that all have, for example --layers 0-{min(n_layers) - 1}.",
                field="layers",
            )
        return tuple(range(n_layers[0]))
    for model, count in zip(models, n_layers, strict=True):
        if missing := [layer for layer in layers if not 0 <= layer < count]:
            raise UserError(
                f"{model} has no layer {missing[0]}: it has {count} layers, 0 to {count - 1}; choose among these.",
                field="layers",
            )
    return tuple(layers)
