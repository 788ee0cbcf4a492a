"""Tables as CSV that is safe to open in a spreadsheet.

Text out of corpora, vocabularies and names may be anything, and a spreadsheet computes a cell that begins with `=`,
`+`, `-`, `@`, a tab or the end of a line, which may open programs or send what stands beside it elsewhere. By the rule
of OWASP ("CSV Injection") such a text gets an apostrophe before it, which spreadsheets take as: this is text. Numbers
stay as they are, negative ones too, and so does text that is nothing but a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from itda_core.foreign import valid

if TYPE_CHECKING:
    import pandas as pd

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four are wide
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def cell(value: Any) -> Any:
    """`value` as a cell: text that begins like a formula with an apostrophe before it, half characters as U+FFFD."""
    if not isinstance(value, str):
        return value
    text = valid(value)
    return f"'{text}" if text.startswith(_FORMULAS) and not _NUMBER.fullmatch(text) else text


def csv_text(header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """A table with the columns `header`; None and NaN are empty cells."""
    return "".join(",".join(map(_written, row)) + "\n" for row in (header, *rows))


def frame_csv(frame: pd.DataFrame, *, index: bool = False) -> str:
    """`frame` with its columns' names, and with its index where asked for."""
    named = [(frame.index.name, frame.index)] if index else []
    named += [(name, frame.iloc[:, i]) for i, name in enumerate(frame.columns)]
    return csv_text([name for name, _ in named], zip(*(column.tolist() for _, column in named), strict=True))


def _is_missing(value: Any) -> bool:
    nothing = value is None or type(value).__name__ in ("NAType", "NaTType")  # pandas' own, which need not be there
    return nothing or (isinstance(value, float) and value != value)


def _written(value: Any) -> str:
    # The csv module leaves a lone carriage return outside quotes, where it is the end of a row to many readers.
    text = "" if _is_missing(value) else str(cell(value))
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text
