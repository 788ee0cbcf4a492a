"""Documents of a .jsonl file: one JSON object or string on each line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from io import BufferedReader
from itertools import islice
from typing import Any

from itda_core.errors import UserError
from itda_core.foreign import valid
from itda_core.text.document import Document
from itda_core.text.pieces import NUMBERED, pieces
from itda_core.text.sources.columns import COLUMN, fingerprinted, missing
from itda_core.text.sources.corpus_file import CorpusFile
from itda_core.text.sources.lines import lines

_ROWS_LOOKED_AT = 200  # to tell the columns of text from others
LONGEST_ID = 10_000  # characters; each of a dictionary's labels holds one
_MOST_DIGITS = 1_000  # of a whole number that Python is asked to read; it takes the square of their number


__all__ = ["choose", "column", "columns", "fingerprinted", "read"]


def choose(file: CorpusFile, opened: BufferedReader, column: str | None) -> str:
    """The column to read. Raises UserError when the first row does not have it."""
    for number, row in islice(_rows(file, opened), 1):
        if isinstance(row, dict) and (column or COLUMN) not in row:
            raise missing(file, column, row, f"line {number}")
    return column or COLUMN


def columns(file: CorpusFile, opened: BufferedReader) -> list[str]:
    """The names that the first rows have for text, those of the first row alone."""
    rows = [row for _, row in islice(_rows(file, opened), _ROWS_LOOKED_AT) if isinstance(row, dict)]
    return [name for name in rows[0] if any(isinstance(row.get(name), str) for row in rows)] if rows else []


def column(chosen: str) -> str:
    """The column itself."""
    return chosen


def read(file: CorpusFile, opened: BufferedReader, column: str, changes: set[str]) -> Iterator[Document]:
    """A document for each row that has a text, by the row's own `id` or its line's number; see `_Ids`.

    changes: gets what pieces.CUT and NUMBERED say of documents so far.
    """
    ids = _Ids()
    for number, row in _rows(file, opened):
        if isinstance(row, str):
            text, id = row, None
        elif isinstance(row, dict):
            if column not in row:
                raise missing(file, column, row, f"line {number}")
            text, id = row[column], row.get("id")
        else:
            raise UserError(
                f"Corpus file {file.path}: line {number} is neither a JSON object nor a string; mend this line."
            )
        if text is None:
            continue
        if not isinstance(text, str):
            kind = "int" if isinstance(text, Decimal) else type(text).__name__
            raise UserError(
                f"Corpus file {file.path}: {column[:200]!r} in line {number} is not text but {kind}; name another "
                f"column with {file.name}#COLUMN."
            )
        own = _named(file, number, id)
        id = ids.of(number, own)
        if id != (f"{number - 1:06d}" if own is None else own):
            changes.add(NUMBERED)
        for i, piece in enumerate(pieces(id, valid(text), changes)):
            yield Document(f"{file.name}:{ids.of(number, piece.id) if i else id}", piece.text)


def _named(file: CorpusFile, number: int, id: Any) -> str | None:
    """The row's own name, if it has one."""
    if id is None or isinstance(id, (dict, list)):
        return None
    name = str(id)
    if len(name) > LONGEST_ID:
        raise UserError(
            f"Corpus file {file.path}: the id in line {number} has {len(name):,} characters; shorten it, or leave it "
            "out."
        )
    return valid(name)


def _rows(file: CorpusFile, opened: BufferedReader) -> Iterator[tuple[int, Any]]:
    for number, line in lines(file, opened):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line, parse_int=_whole)
        except json.JSONDecodeError as error:
            raise UserError(
                f"Corpus file {file.path}: line {number} is not JSON ({error.msg}); put one JSON object or string on a "
                "line."
            ) from None
        except RecursionError:
            raise UserError(
                f"Corpus file {file.path}: line {number} has too many brackets within brackets; leave out what is not "
                "needed of it."
            ) from None


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _MOST_DIGITS else Decimal(digits)


class _Ids:
    """Makes the ids of a file's rows different from each other, so that a label names one document.

    The first row that has an id keeps it; another of the same id is called by its line as well. What is remembered of
    each id takes some 90 bytes, of a row without one a single one.
    """

    def __init__(self) -> None:
        self._numbered = bytearray()  # by line number - 1: whether the row is called by it
        self._named: set[int] = set()  # digests of 64 bits; two of ten million are alike once in a million files

    def of(self, line: int, name: str | None) -> str:
        """The id of the row in `line` (from 1), whose own name that is, if it has one."""
        if name is None:
            name = f"{line - 1:06d}"
            if _digest(name) not in self._named:
                self._numbered.extend(bytes(line - len(self._numbered)))
                self._numbered[line - 1] = 1
                return name
        elif not self._taken(name):
            self._named.add(_digest(name))
            return name
        name = f"{name} (line {line})"
        while self._taken(name):
            name += "'"
        self._named.add(_digest(name))
        return name

    def _taken(self, name: str) -> bool:
        if _digest(name) in self._named:
            return True
        if not (name.isascii() and name.isdigit() and len(name) < 20):
            return False
        number = int(name)
        return number < len(self._numbered) and self._numbered[number] == 1 and name == f"{number:06d}"


def _digest(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
