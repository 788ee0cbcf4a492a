"""How much of one site's variance is a linear image of another's (Kornblith et al. 2019, arXiv 1905.00414, table 1)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from itda_core.comparison.measures.moments import paired


def linear_regression(x: Tensor, y: Tensor) -> float:
    """R squared of the least-squares regression, with intercept, of all of y (n_tokens, d_y) on x (n_tokens, d_x).

    0 to 1: the share of y's variance, summed over its dimensions, that a linear image of x explains. Not symmetric,
    and blind to how much of x it takes: a wide enough x explains anything. Where x has fewer independent directions
    than dimensions, those of variance at most d_x units of rounding of the largest are left out (a pseudo-inverse).

    Raises UserError when the shapes disagree, a value is not finite, there are fewer than two tokens, or x or y is
    constant.
    """
    moments = paired(x, y)
    measure = LinearRegression(rounding=torch.finfo(torch.float64).eps)
    one, two = (measure.prepare(moments.covariance(site, site)) for site in (0, 1))
    return measure.between(one, two, moments.covariance(0, 1))[1]


class Regressor(NamedTuple):
    """What is needed of one site."""

    whitened: Tensor  # (width, n_directions): a map to uncorrelated directions of variance 1
    variance: float  # summed over dimensions


class LinearRegression:
    """The same from covariances, for many pairs of sites."""

    name = "linear_regression"

    def __init__(self, rounding: float = torch.finfo(torch.float32).eps) -> None:
        """rounding: the relative precision of the products that the covariances are sums of."""
        self._rounding = rounding

    def prepare(self, covariance: Tensor) -> Regressor:
        """covariance: (width, width)."""
        values, vectors = torch.linalg.eigh(covariance)
        kept = values > values[-1] * len(values) * self._rounding
        return Regressor(vectors[:, kept] / values[kept].sqrt(), float(covariance.diagonal().sum()))

    def between(self, one: Regressor, two: Regressor, covariance: Tensor) -> tuple[float, float]:
        """How much of `one` is explained by `two`, and how much of `two` by `one`.

        The first is what layer matching compares a layer of one model with those of another by (Kornblith et al. 2019,
        table 1: R squared of regressing X on Y, and section 6.1).
        """
        explained = float((covariance @ two.whitened).square().sum()) / one.variance
        explaining = float((one.whitened.T @ covariance).square().sum()) / two.variance
        return min(1.0, explained), min(1.0, explaining)
