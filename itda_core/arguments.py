"""Arguments as people write them in Python: scalars of NumPy and torch for numbers, arrays for lists, `~` in paths."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from itda_core.errors import UserError
from itda_core.files.dataclass_schema import LARGEST
from itda_core.files.paths import expanded


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


def one_of(names: Iterable[str]) -> str:
    """For example "mp, omp or gp"."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def listed(given: list[str] | None) -> list[str]:
    """The values of an option that may be repeated and may hold lists."""
    return [part.strip() for text in given or () for part in text.split(",") if part.strip()]


def whole_number(text: str) -> int:
    """One value of k. Raises UserError for what is no whole number that can be counted to."""
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < len(str(LARGEST))):
        raise UserError(f"k={text[:40]} is not a whole number; give one or several, for example --k 10,20,40.")
    return int(text)


def user_path(path: str | os.PathLike[str]) -> Path:
    """`path` with the home folder in the place of `~`. Raises UserError for what is no path, and a home nobody has."""
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str):
        raise UserError(f"{path!r:.200} is no path; give a str or a pathlib.Path.")
    return expanded(text)
