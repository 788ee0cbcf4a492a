"""Relative representations: each token described by its cosines to the same anchor tokens (Moschella et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from itda_core.arguments import plain
from itda_core.comparison.measures.moments import check_paired
from itda_core.comparison.measures.table import ANCHORS
from itda_core.errors import UserError
from itda_core.pursuit.chunks import exact_products
from itda_core.pursuit.given import as_tensor

if TYPE_CHECKING:
    import numpy as np

    from itda_core.comparison.measures.representations import Compared, Representations

_ENTRIES = 2**24  # of relative vectors held at once


def relative_representation(
    x: Tensor,
    y: Tensor,
    anchors_x: Tensor | None = None,
    anchors_y: Tensor | None = None,
    *,
    anchors: int = ANCHORS,
    seed: int = 0,
) -> float:
    """Mean over tokens of the cosine between a token's relative vectors in x (n_tokens, d_x) and y (n_tokens, d_y).

    A relative vector holds the cosines of an activation to the anchors' (Moschella et al. 2022, arXiv 2209.15430,
    section 3); nothing is centred. anchors_x (n_anchors, d_x) and anchors_y (n_anchors, d_y): the activations of the
    same anchor tokens; without them, `anchors` of the tokens (at most half) are drawn by `seed`, and the others are
    compared: an anchor's cosine to itself is 1 in every model, which says nothing. -1 to 1, 1 when y is x rotated and
    every token scaled as it likes.

    Raises UserError when the shapes disagree, a value is not finite, there are fewer than two tokens, or an activation
    is zero.
    """
    x, y = as_tensor(x, "Activations"), as_tensor(y, "Activations")
    anchors, seed = plain(anchors), plain(seed)
    check_paired(x, y)
    if (anchors_x is None) != (anchors_y is None):
        raise UserError("Anchors were given for one of x and y only; give both, or none to have them drawn.")
    if anchors_x is None or anchors_y is None:
        if anchors < 1:
            raise UserError(f"anchors={anchors} leaves nothing to compare with; give 1 or more, for example {ANCHORS}.")
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        drawn, others = order.tensor_split([min(anchors, len(x) // 2)])
        anchors_x, x = x[drawn.to(x.device)], x[others.to(x.device)]
        anchors_y, y = y[drawn.to(y.device)], y[others.to(y.device)]
    else:
        anchors_x, anchors_y = as_tensor(anchors_x, "Anchors"), as_tensor(anchors_y, "Anchors")
        _check_anchors(x, y, anchors_x, anchors_y)
    measure = RelativeRepresentations([anchors_x, anchors_y])
    measure.add([x, y])
    return float(measure.similarity()[0, 1])


class RelativeRepresentations:
    """The same for all pairs of many sites, summed while the tokens stream by."""

    def __init__(self, anchors: Sequence[Tensor]) -> None:
        """anchors: the activations of the same anchor tokens at each site, (n_anchors, width) each."""
        self._anchors = [unit_rows(part) for part in anchors]
        self._sums = torch.zeros(len(anchors), len(anchors), dtype=torch.float64)
        self.count = 0  # tokens

    def add(self, xs: Sequence[Tensor]) -> None:
        """Activations of the same tokens at each site: (n_tokens, width) each, on one device."""
        step = max(1, _ENTRIES // (len(xs) * len(self._anchors[0])))
        for start in range(0, len(xs[0]), step):
            self._add([x[start : start + step] for x in xs])

    def similarity(self) -> Tensor:
        """(n_sites, n_sites) float64."""
        return self._sums / self.count

    def _add(self, xs: Sequence[Tensor]) -> None:
        with exact_products():
            described = torch.stack([normalize(self._described(site, x), dim=1).flatten() for site, x in enumerate(xs)])
            self._sums += (described @ described.T).double().cpu()
        self.count += len(xs[0])

    def _described(self, site: int, x: Tensor) -> Tensor:
        """What describes each of the activations x (n_tokens, width) by the anchors: (n_tokens, n_anchors)."""
        return unit_rows(x) @ self._anchors[site].T


def relative_to_anchors(compared: Compared) -> np.ndarray:
    """The measure of every two places, (n_places, n_places) float64, by tokens drawn by their prefix and the seed."""
    together = compared.together
    return summed(RelativeRepresentations, together, together.drawn(compared.anchors))


def summed(measure: type[RelativeRepresentations], together: Representations, anchors: Tensor) -> np.ndarray:
    """`measure` of every two places by their tokens `anchors` (numbers (n_anchors,)), which are not compared
    themselves: (n_places, n_places) float64.
    """
    sums = measure([together.at(place, anchors) for place in range(len(together.places))])
    for xs in together.blocks(without=anchors):
        sums.add(xs)
    return sums.similarity().numpy()


def unit_rows(x: Tensor) -> Tensor:
    """The rows of x (n, width) scaled to length 1. Raises UserError where one is zero."""
    x = x if x.dtype == torch.float64 else x.float()
    lengths = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    if not lengths.all():
        raise UserError("An activation is zero, so that it has no direction to compare; leave that token out.")
    return x / lengths


def _check_anchors(x: Tensor, y: Tensor, anchors_x: Tensor, anchors_y: Tensor) -> None:
    shapes = tuple(anchors_x.shape), tuple(anchors_y.shape)
    fitting = anchors_x.ndim == anchors_y.ndim == 2 and len(anchors_x) == len(anchors_y) > 0
    if not fitting or anchors_x.shape[1] != x.shape[1] or anchors_y.shape[1] != y.shape[1]:
        raise UserError(
            f"Anchors of shapes {shapes[0]} and {shapes[1]} do not fit activations of widths {x.shape[1]} and "
            f"{y.shape[1]}; give the activations of the same anchor tokens."
        )
    for name, part in (("anchors_x", anchors_x), ("anchors_y", anchors_y)):
        if not part.isfinite().all():
            raise UserError(f"{name} holds values that are not finite; choose other anchors.")
