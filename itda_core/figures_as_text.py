"""Figures as people read them: what is rounded to zero is 0, never -0."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_ROUNDED_TO_ZERO = re.compile(r"[+-](?=[0.,]*%?$)")
_MINUS = "−"


def figure(value: float, form: str) -> str:
    """`value` in the form of a format string (".3f", "+.2f", ".1%"), without a sign where it is rounded to zero."""
    return _ROUNDED_TO_ZERO.sub("", format(value, form))


def signed(value: float, form: str = "+.2f") -> str:
    """The same with its sign, the minus as wide as the plus."""
    return figure(value, form).replace("-", _MINUS)


def no_minus_zero(frame: pd.DataFrame, decimals: int) -> pd.DataFrame:
    """`frame` for something else that writes its floating-point numbers with so many decimals: none becomes -0."""
    found = frame.copy()
    for name in found.select_dtypes("floating"):
        found[name] = found[name].where(~(found[name].round(decimals) == 0), 0.0)
    return found
