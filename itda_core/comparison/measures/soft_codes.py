"""Our own measure: which atoms every other token is most like, softly, in two models.

Jaccard asks which tokens two dictionaries hold, and nothing of what they do with them. This asks how every other token
is coded in those tokens. A token's soft code is the softmax of its cosines to them, after each site's mean is removed:
its shares of them, nearly all with those it is most like. Unlike a relative representation, which is dominated by what
all tokens have in common and by the many anchors that a token has nothing to do with, it compares neighbourhoods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from itda_core.comparison.measures.relative import RelativeRepresentations, summed
from itda_core.dictionaries.choosing.prefix_hash import numbers
from itda_core.errors import UserError
from itda_core.text.windows import Prefix

if TYPE_CHECKING:
    import numpy as np

    from itda_core.comparison.label_sets import LabelSet
    from itda_core.comparison.measures.representations import Compared, Representations

SHARPNESS = 5.0  # by which cosines are multiplied before the softmax


class SoftCodes(RelativeRepresentations):
    """Mean cosine, over tokens, between their soft codes at every two sites, summed while the tokens stream by."""

    def __init__(self, anchors: Sequence[Tensor], sharpness: float = SHARPNESS) -> None:
        """anchors: the activations of the same tokens at each site, (n_anchors, width) each; their mean is removed."""
        self._means = [part.double().mean(dim=0).to(part.dtype) for part in anchors]
        self._sharpness = sharpness
        super().__init__([part - mean for part, mean in zip(anchors, self._means, strict=True)])

    def _described(self, site: int, x: Tensor) -> Tensor:
        return (self._sharpness * super()._described(site, x - self._means[site])).softmax(dim=1)


def soft_codes(compared: Compared) -> np.ndarray:
    """The measure of every two places, (n_places, n_places) float64, over tokens that are atoms of some dictionary.

    Raises UserError when none of the atoms' tokens was read by all models.
    """
    drawn = atoms_as_anchors(compared.together, compared.labels, compared.anchors, compared.seed)
    return summed(SoftCodes, compared.together, drawn)


def atoms_as_anchors(together: Representations, labels: Sequence[LabelSet], count: int, seed: int) -> Tensor:
    """Numbers (at most `count`, at most half) of the tokens that are atoms of some dictionary, int64.

    labels: of all dictionaries. Where there are more, those with the smallest keys (of their prefixes and `seed`, as
    the harvests' are) are taken. Raises UserError when none of the atoms' tokens is among those of `together`.
    """
    prefixes = (
        Prefix(document, start, end)
        for one in labels
        for document, start, end in zip(
            one.documents[one.document], one.window_start.tolist(), one.last.tolist(), strict=True
        )
    )
    keys = numbers(prefixes, seed).unique()  # ascending
    found = together.find(keys)
    found = found[found >= 0]
    if not len(found):
        raise UserError("No atom of these dictionaries is a token that all models have read; compare on their corpus.")
    return found[: min(count, len(together) // 2)]
