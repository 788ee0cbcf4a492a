"""Documents of a .csv file: cells of one column, between commas, semicolons, tabs or bars.

Nothing is guessed at the price of text: a row that has more or fewer cells than the header, a quote that is never
closed and a cell that has swallowed rows are refused, by their line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import BufferedReader
from itertools import islice
from typing import NamedTuple

from itda_core.errors import UserError
from itda_core.text.document import Document
from itda_core.text.pieces import pieces
from itda_core.text.sources.columns import COLUMN, listed, missing
from itda_core.text.sources.columns import fingerprinted as fingerprinted_column
from itda_core.text.sources.corpus_file import CorpusFile
from itda_core.text.sources.lines import lines

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}  # the likelier first
LONGEST_CELL = 2**25  # characters, each of which takes four bytes while the cell is read
_ROWS_LOOKED_AT = 200  # to tell the columns of text from those of numbers
_FEWEST_SWALLOWED = 5  # lines within a cell that all look like rows; fewer may be verse with as many commas


class Table(NamedTuple):
    """How a file is read."""

    separator: str
    column: str


class _Row(NamedTuple):
    line: int  # its first, from 1
    cells: list[str]


def choose(file: CorpusFile, opened: BufferedReader, column: str | None) -> Table:
    """The separator, and the column asked for, or `text`, or the only one that holds text.

    The separator is the one by which the header has the column's name; where none was given, the first that divides the
    header, and the rows after it alike. Raises UserError when there is no such column.
    """
    headers = _headers(file, opened)
    for separator, header in headers.items():
        if header.count(column or COLUMN) > 1:
            raise UserError(
                f"Corpus file {file.path} has several columns {(column or COLUMN)[:200]!r}; give each a name of its "
                "own."
            )
        if (column or COLUMN) in header:
            return Table(separator, column or COLUMN)
    separators = [separator for separator, header in headers.items() if len(header) > 1] or [","]
    if column is not None:
        raise missing(file, column, headers.get(separators[0], []))
    separator, rows = _first_rows(file, opened, separators)
    header = headers[separator]
    textual = _textual(header, rows)
    if len(textual) != 1:
        raise missing(file, None, header)
    if any(name.strip() and _is_number(name) for name in header):
        raise UserError(
            f"Corpus file {file.path} seems to begin with a row, not with the names of its columns ({listed(header)}); "
            f"put a header above it, or name the column with {file.name}#COLUMN."
        )
    return Table(separator, textual[0])


def columns(file: CorpusFile, opened: BufferedReader) -> list[str]:
    """Those that hold something else than numbers in the first rows, and whose name is theirs alone."""
    headers = _headers(file, opened)
    divides = [separator for separator, header in headers.items() if len(header) > 1] or [","]
    named = [separator for separator, header in headers.items() if COLUMN in header]
    separator, rows = _first_rows(file, opened, named or divides)
    header = headers[separator]
    return [name for name in _textual(header, rows) if name.strip() and header.count(name) == 1]


def column(table: Table) -> str:
    """The one that is read."""
    return table.column


def _textual(header: list[str], rows: list[list[str]]) -> list[str]:
    return [name for i, name in enumerate(header) if any(row and not _is_number(row[i]) for row in rows)]


def read(file: CorpusFile, opened: BufferedReader, table: Table, changes: set[str]) -> Iterator[Document]:
    """A document for each row, by the row's number (from 0); lines without any cell count, and are left out.

    changes: gets pieces.CUT where a document so far was cut.
    """
    rows = _rows(file, opened, table.separator)
    index = next(rows).cells.index(table.column)
    for number, row in enumerate(rows):
        if row.cells:
            yield from (
                Document(f"{file.name}:{piece.id}", piece.text)
                for piece in pieces(f"{number:06d}", row.cells[index], changes)
            )


def fingerprinted(table: Table) -> str:
    """The part of a fingerprint that depends on `table`; "" for the usual form."""
    column = fingerprinted_column(table.column)
    return column if table.separator == "," else f"{column} by {SEPARATORS[table.separator]}"


class _NotCsv(UserError):
    """Quotes stand where none may."""


def _headers(file: CorpusFile, opened: BufferedReader) -> dict[str, list[str]]:
    """The first row's cells by each separator, of those by which it is CSV. Raises UserError when it is by none."""
    found: dict[str, list[str]] = {}
    refused = None
    for separator in SEPARATORS:
        opened.seek(0)
        try:
            found[separator] = next(_rows(file, opened, separator), _Row(1, [])).cells
        except _NotCsv as error:
            refused = refused or error
    if not found:
        assert refused is not None, "there are separators"
        raise refused
    opened.seek(0)
    return found


def _first_rows(file: CorpusFile, opened: BufferedReader, separators: list[str]) -> tuple[str, list[list[str]]]:
    """The first separator by which the rows below the header have its cells, and some of them.

    Raises UserError, that of the first, when it is none.
    """
    refused = None
    for separator in separators:
        opened.seek(0)
        try:
            return separator, [row.cells for row in islice(_rows(file, opened, separator), 1, _ROWS_LOOKED_AT + 1)]
        except UserError as error:
            refused = refused or error
    assert refused is not None, "there is a separator"
    raise refused


def _rows(file: CorpusFile, opened: BufferedReader, separator: str) -> Iterator[_Row]:
    """The header, and every row after it; a line without any cell is one without cells.

    Raises UserError for whatever would lose or mix up text.
    """
    csv.field_size_limit(LONGEST_CELL)  # the module's own limit of 131,072 characters is less than a long document
    reader = csv.reader((line for _, line in lines(file, opened)), delimiter=separator, strict=True)
    width = 0
    while True:
        row = _Row(reader.line_num + 1, [])
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _not_csv(file, row.line, reader.line_num, error) from None
        if cells is None:
            return
        if width != 1 and len(cells) == 1 and not cells[0].strip():
            cells = []  # a line of white space
        if not width and not cells:
            continue  # nothing stands above the header
        width = width or len(cells)
        if cells and len(cells) != width:
            raise UserError(
                f"Corpus file {file.path}: line {row.line} has {len(cells)} cells where the header has {width} (the "
                f"separator is the {SEPARATORS[separator]}); put cells that hold a {SEPARATORS[separator]} between "
                "quotes, and give every row as many cells as the header."
            )
        if reader.line_num > row.line:
            _check_swallowed(file, row.line, cells, separator, width)
        yield row._replace(cells=cells)


def _not_csv(file: CorpusFile, began: int, line: int, error: csv.Error) -> _NotCsv:
    if "unexpected end of data" in str(error):
        return _NotCsv(f"Corpus file {file.path}: a quote that opens in line {began} is never closed; close it.")
    if "field limit" in str(error):
        return _NotCsv(
            f"Corpus file {file.path}: a cell of the row in line {began} has more than {LONGEST_CELL:,} characters; "
            "close its quote, or put a text as long as that into a .txt file."
        )
    beginning = f", in a row that begins in line {began}" if began < line else ""
    return _NotCsv(
        f"Corpus file {file.path}: line {line} is not CSV ({error}){beginning}; put a cell that holds quotes between "
        'quotes, each of its own doubled: "He said ""hi"" to her".'
    )


def _check_swallowed(file: CorpusFile, line: int, cells: list[str], separator: str, width: int) -> None:
    """Raises UserError where a cell holds rows: a quote was left open, and a later one closed it."""
    numbers = [i for i, cell in enumerate(cells) if cell and _is_number(cell)]
    fewest = _FEWEST_SWALLOWED if numbers else 4 * _FEWEST_SWALLOWED
    for cell in cells:
        rows = [inner.split(separator) for inner in cell.split("\n")[1:-1] if inner.strip()]
        if (
            width > 1
            and len(rows) >= fewest
            and all(len(row) == width and all(_is_number(row[i]) for i in numbers) for row in rows)
        ):
            raise UserError(
                f"Corpus file {file.path}: a cell of the row in line {line} holds {len(rows) + 1} lines that look like "
                "rows, so a quote in it is not closed; close it, or, if the cell is meant so, give the text as .jsonl."
            )


def _is_number(cell: str) -> bool:
    try:
        float(cell or "0")
    except ValueError:
        return False
    return True
