"""Singular vector canonical correlation analysis (Raghu et al. 2017, arXiv 1706.05806)."""

from __future__ import annotations

import torch
from torch import Tensor

from itda_core.arguments import plain
from itda_core.comparison.measures.moments import paired
from itda_core.errors import UserError

VARIANCE = 0.99  # of each site, kept before its directions are correlated (Raghu et al. 2017, section 2.1)


def svcca(x: Tensor, y: Tensor, variance: float = VARIANCE) -> float:
    """Mean canonical correlation, 0 to 1, of activations x (n_tokens, d_x) and y (n_tokens, d_y) of the same tokens.

    The fewest principal directions that hold `variance` of each are kept (Raghu et al. 2017, section 2.1), and the
    mean is over as many correlations as the one with fewer directions has. The correlations are the singular values of
    the cross-covariance between whitened directions; they are clipped at 1 against rounding, and are real and not
    negative by construction.

    Raises UserError when the shapes disagree, a value is not finite, there are fewer than two tokens, x or y is
    constant, or `variance` is not in (0, 1].
    """
    measure = Svcca(variance)
    moments = paired(x, y)
    one, two = (measure.prepare(moments.covariance(site, site)) for site in (0, 1))
    return measure.between(one, two, moments.covariance(0, 1))[0]


class Svcca:
    """The same from covariances, for many pairs of sites."""

    name = "svcca"

    def __init__(self, variance: float = VARIANCE) -> None:
        variance = plain(variance)
        if not 0 < variance <= 1:
            raise UserError(f"variance={variance} cannot be kept; choose a share above 0 and at most 1, usually 0.99.")
        self._variance = variance

    def prepare(self, covariance: Tensor) -> Tensor:
        """What is needed of one site: a map (width, n_directions) to its whitened principal directions."""
        values, vectors = torch.linalg.eigh(covariance)
        values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
        # A variance of 1 keeps all that is not rounding, hence the tolerance.
        share = values.cumsum(0) / values.sum()
        kept = int((share < self._variance - 1e-12).sum()) + 1
        positive = int((values > values[0] * len(values) * torch.finfo(values.dtype).eps).sum())
        kept = min(kept, positive)
        return vectors[:, :kept] / values[:kept].sqrt()

    def between(self, one: Tensor, two: Tensor, covariance: Tensor) -> tuple[float, float]:
        """The similarity of two sites in both directions, which are equal."""
        value = float(torch.linalg.svdvals(one.T @ covariance @ two).clamp_max(1).mean())
        return value, value
