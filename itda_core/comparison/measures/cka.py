"""Linear centred kernel alignment (Kornblith et al. 2019, arXiv 1905.00414)."""

from __future__ import annotations

from torch import Tensor

from itda_core.comparison.measures.moments import paired


def linear_cka(x: Tensor, y: Tensor) -> float:
    """Linear CKA of activations x (n_tokens, d_x) and y (n_tokens, d_y) of the same tokens, 0 to 1.

    |cov(x, y)|^2 / (|cov(x, x)| |cov(y, y)|) in Frobenius norms, the feature-space form of Kornblith et al. 2019
    (section 3 and table 1): it costs O(n_tokens d_x d_y) and needs no n_tokens by n_tokens matrix. 1 when y is x
    rotated, scaled and shifted; of independent activations about d_x d_y / n_tokens times how even their spectra are.

    Raises UserError when the shapes disagree, a value is not finite, there are fewer than two tokens, or x or y is
    constant.
    """
    moments = paired(x, y)
    measure = LinearCka()
    one, two = (measure.prepare(moments.covariance(site, site)) for site in (0, 1))
    return measure.between(one, two, moments.covariance(0, 1))[0]


class LinearCka:
    """The same from covariances, for many pairs of sites."""

    name = "linear_cka"

    def prepare(self, covariance: Tensor) -> float:
        """What is needed of one site: the norm of its covariance (width, width)."""
        return float(covariance.norm())

    def between(self, one: float, two: float, covariance: Tensor) -> tuple[float, float]:
        """The similarity of two sites in both directions, which are equal."""
        value = min(1.0, float(covariance.square().sum()) / (one * two))
        return value, value
