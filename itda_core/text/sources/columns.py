"""Columns of text in a table, and the message where the right one is missing."""

from __future__ import annotations

from collections.abc import Iterable

from itda_core.errors import UserError
from itda_core.text.sources.corpus_file import CorpusFile

COLUMN = "text"  # read when no column is named
_MOST_NAMES = 20  # that a message lists
_LONGEST_NAME = 40  # characters of one


def fingerprinted(column: str) -> str:
    """The part of a fingerprint that depends on the choice of a column; "" for the usual one."""
    return "" if column == COLUMN else f"#{column}"


def missing(file: CorpusFile, column: str | None, columns: Iterable[object], where: str = "the header") -> UserError:
    """The error to raise where the `column` asked for (None: none was) is not among `columns`."""
    lacks = f"no column {column[:200]!r}" if column else f"no column {COLUMN!r} and not exactly one column of text"
    return UserError(
        f"Corpus file {file.path} has {lacks} in {where}; name one with {file.name}#COLUMN: {listed(columns)}."
    )


def listed(columns: Iterable[object]) -> str:
    """Names of columns as a message holds them."""
    names = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in map(str, columns)]
    shown = ", ".join(name if name.isprintable() else repr(name) for name in names[:_MOST_NAMES]) or "none"
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"
