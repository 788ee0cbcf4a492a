"""Tables as CSV that is safe to open in a spreadsheet.

Text out of corpora, vocabularies and names may be anything, and a spreadsheet computes a cell that begins with `=`,
`+`, `-`, `@`, a tab or the end of a line, which may open programs or send what stands beside it elsewhere. By the rule
of OWASP ("CSV Injection") such a text gets an apostrophe before it, which spreadsheets take as: this is text. Numbers
stay as they are, negative ones too, and so does text that is nothing but a number.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four are wide
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def cell(value: Any) -> Any:
    """`value` as a cell: text that begins like a formula with an apostrophe before it, half characters as U+FFFD."""
    if not isinstance(value, str):
        return value
    text = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return f"'{text}" if text.startswith(_FORMULAS) and not _NUMBER.fullmatch(text) else text


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table with the columns `header`, None as an empty cell."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for row in (header, *rows):
        writer.writerow([cell(value) for value in row])
    return file.getvalue()


def frame_csv(frame: pd.DataFrame, *, index: bool = False) -> str:
    """`frame` with its columns' names, and with its index where asked for."""
    safe = frame.rename(columns=cell, index=cell if index else None)
    for i in range(safe.shape[1]):
        column = safe.iloc[:, i]
        if column.dtype.kind not in "biuf":  # numbers need no looking at
            safe.isetitem(i, column.astype(object).map(cell))
    return safe.to_csv(index=index, lineterminator="\n")
