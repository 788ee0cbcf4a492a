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


def three_figures(value: float) -> str:
    """`value` to three significant figures, from 1,000 on to the whole number: no power of ten where people read."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def points_apart(before: float, after: float) -> str:
    """By how many percentage points a share or probability (0 to 1) has changed: `+30.7 pp`."""
    return f"{signed(100 * (after - before), '+.1f')} pp"


def fvu_words(fvu: float | None, text: str | None) -> str:
    """An FVU, which says where it is not of held-out `text` ("held-out" or "training"); "" where it is not known."""
    if fvu is None:
        return ""
    return f"{fvu:.3f}" + (" in training" if text == "training" else "")


def no_minus_zero(frame: pd.DataFrame, decimals: int) -> pd.DataFrame:
    """`frame` for something else that writes its floating-point numbers with so many decimals: none becomes -0."""
    found = frame.copy()
    for name in found.select_dtypes("floating"):
        found[name] = found[name].where(~(found[name].round(decimals) == 0), 0.0)
    return found
