"""Arguments as people write them in Python: scalars of NumPy and torch for numbers, arrays for lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def plain(value: Any) -> Any:
    """`value`; where it is a scalar of NumPy or torch (an array or tensor without dimensions too), as Python's own."""
    if getattr(value, "ndim", None) == 0 and callable(getattr(value, "item", None)):
        return value.item()
    return value


def plain_list(values: Any) -> list[Any]:
    """What an array, a tensor, a range or another sequence holds, as Python's own values; of a single value, itself."""
    values = plain(values)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return [values]
    return [plain(value) for value in values]
