"""What a threshold means, in either of its two units.

`selection="sequential"` compares a relative squared error e = |x - x_hat|^2 / |x|^2, 0 to 1 whatever the model.
`selection="paper"` compares what the published code of Leask et al. (2025) compares, the mean over the d_model
dimensions of (x / |x| - x_hat / |x_hat|)^2. That is 2 (1 - cosine) / d_model: the same number means another cosine in
another model.
"""

from __future__ import annotations

import math

from itda_core.errors import UserError

RELATIVE_ERROR = 0.3  # the default threshold, in the unit of "sequential"


def cosine_of(threshold: float, d_model: int) -> float:
    """The cosine between x and x_hat at which the published code's error of a token equals `threshold`."""
    return 1 - threshold * d_model / 2


def threshold_of(cosine: float, d_model: int) -> float:
    """The published code's error of a token whose reconstruction has that cosine; undoes `cosine_of`."""
    return 2 * (1 - cosine) / d_model


def default_threshold(d_model: int) -> float:
    """The relative squared error 0.3 in the published code's unit: cosine sqrt(0.7), 0.837; 0.000425 at 768.

    A residual orthogonal to x_hat makes |x|^2 = |x_hat|^2 + |residual|^2, so that cosine^2 = (|x_hat| / |x|)^2 = 1 - e.
    The residual of an orthogonal pursuit is; that of matching pursuit nearly so, as it takes its atoms' shares again.
    """
    return threshold_of(math.sqrt(1 - RELATIVE_ERROR), d_model)


def check_threshold(threshold: float, d_model: int) -> None:
    """Raises UserError when `threshold`, in the published code's unit, can add no atom at this width.

    Two unit vectors differ by at most 4 / d_model. A matching pursuit never gets further than 2 / d_model, cosine 0,
    because none of its steps makes the residual longer than x: |x - x_hat| <= |x| means that x and x_hat enclose no
    obtuse angle. Where no atom correlates with x at all, x_hat is zero and the error 1 / d_model.
    """
    most = 2 / d_model
    if threshold >= most:
        raise UserError(
            f"threshold={threshold:g} can add no atom at d_model={d_model}: with selection='paper' a token's error is "
            f"2 (1 - cosine) / d_model, which for matching pursuit is at most {most:.3g} (cosine 0); choose less, "
            f"for example {default_threshold(d_model):.3g}, which is cosine "
            f"{cosine_of(default_threshold(d_model), d_model):.3f}."
        )


def meaning(threshold: float, d_model: int) -> str:
    """`threshold`, in the published code's unit, in a sentence for people."""
    return (
        f"Threshold {threshold:.3g} at d_model={d_model} means that a token becomes an atom where its reconstruction "
        f"has a cosine below {cosine_of(threshold, d_model):.3f}."
    )
