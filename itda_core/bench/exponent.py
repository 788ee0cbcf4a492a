"""The exponent of a power law."""

from __future__ import annotations

import math
from collections.abc import Sequence


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The b of y = a x**b that fits positive points (x, y) best: least squares on their logarithms.

    Raises ValueError for fewer than two different x.
    """
    logs = [(math.log(x), math.log(y)) for x, y in points]
    if len({x for x, _ in logs}) < 2:
        raise ValueError("an exponent needs at least two different sizes")
    middle = sum(x for x, _ in logs) / len(logs)
    return sum((x - middle) * y for x, y in logs) / sum((x - middle) ** 2 for x, _ in logs)
