"""Where a corpus's documents come from: text, JSON lines, CSV and Parquet files.

Every reader streams: it holds one document (for Parquet, one batch of rows) at a time.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from itda_core.errors import UserError
from itda_core.text.corpus import GRAMMAR, Document

COLUMN = "text"  # read when no column is named
LONGEST_BLOCK = 1_000_000  # characters; a longer block of a .txt file is cut into several documents
_ROWS_LOOKED_AT = 200  # to tell the columns of text from those of numbers in a .csv file


class Source(NamedTuple):
    """What a Corpus is made of."""

    id: str
    read: Callable[[], Iterator[Document]]
    fingerprint: Callable[[], str]


def file(reference: str) -> Source:
    """The documents of a .txt, .jsonl, .csv or .parquet file; `reference` is its path, perhaps with `#COLUMN`.

    Raises UserError when there is no such file, its kind is unknown or the column is missing.
    """
    path, column = Path(reference).expanduser(), None
    if not path.exists() and "#" in reference:
        name, column = reference.rsplit("#", 1)
        path = Path(name).expanduser()
    if path.is_dir():
        raise UserError(f"Corpus {path} is a folder; give one file: .txt, .jsonl, .csv or .parquet.")
    if path.suffix.lower() not in _READERS:
        raise UserError(f"Corpus {reference!r} is unknown; give {GRAMMAR}.")
    if not path.is_file():
        raise UserError(f"Corpus file {path} does not exist; check the path.")
    try:
        empty = path.stat().st_size == 0
        with path.open("rb"):
            pass
    except OSError as error:
        raise UserError(f"Corpus file {path} cannot be read ({error.strerror}); check its permissions.") from None
    if empty:
        raise UserError(f"Corpus file {path} is empty; give one with at least one document.")
    if path.suffix.lower() == ".txt":
        if column is not None:
            raise UserError(f"Corpus {reference!r}: a .txt file has no columns; leave out '#{column}'.")
        return Source(path.name, lambda: _text(path), lambda: _sha256(path, None))
    reader, choose = _READERS[path.suffix.lower()], _COLUMNS[path.suffix.lower()]
    chosen = choose(path, column)
    id = path.name if column is None else f"{path.name}#{column}"
    return Source(id, lambda: reader(path, chosen), lambda: _sha256(path, chosen))


def _sha256(path: Path, column: str | None) -> str:
    """Digest of a file's bytes, and of the column read where it is not the usual one."""
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return digest if column in (None, COLUMN) else hashlib.sha256(f"{digest}#{column}".encode()).hexdigest()


def _document(path: Path, number: int | str, text: str) -> Document:
    return Document(f"{path.name}:{number:06d}" if isinstance(number, int) else f"{path.name}:{number}", text)


# --- lines ---


def _lines(path: Path, longest: int = -1) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and text of each line, its end kept; lines over `longest` bytes come in several pieces.

    Raises UserError at the first byte that is not UTF-8 text.
    """
    offset, number, kept = 0, 1, b""
    with path.open("rb") as opened:
        while raw := opened.readline(longest):
            if offset == 0 and raw.startswith(b"\xef\xbb\xbf"):
                raw, offset = raw[3:], 3
            if b"\0" in raw:
                at = offset + raw.index(b"\0")
                raise UserError(f"Corpus file {path} is binary (byte {at} is a zero); give a text file in UTF-8.")
            ended = raw.endswith(b"\n")
            raw, offset = kept + raw, offset - len(kept)
            try:
                text, kept = raw.decode("utf-8"), b""
            except UnicodeDecodeError as error:
                # A piece of a long line may end inside a character, whose other bytes come with the next piece.
                if ended or error.end < len(raw) or error.reason != "unexpected end of data" or not opened.peek(1):
                    raise UserError(
                        f"Corpus file {path} is not UTF-8 (line {number}, byte {offset + error.start}); "
                        "save it as UTF-8 and try again."
                    ) from None
                text, kept = raw[: error.start].decode("utf-8"), raw[error.start :]
            offset += len(raw)
            yield number, text
            number += ended


# --- .txt ---


def _text(path: Path) -> Iterator[Document]:
    """Blocks of lines between blank lines; white space at a block's end is dropped, the rest left as it is."""
    block: list[str] = []
    size = number = 0
    for _, line in _lines(path, LONGEST_BLOCK):
        blank = not line.strip()
        if not blank:
            block.append(line)
            size += len(line)
        if block and (blank or size >= LONGEST_BLOCK):
            yield _document(path, number, "".join(block).rstrip())
            block, size, number = [], 0, number + 1
    if block:
        yield _document(path, number, "".join(block).rstrip())


# --- .jsonl ---


def _jsonl_rows(path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(
                f"Corpus file {path}: line {number} is not JSON ({error.msg}); put one JSON object or string on a line."
            ) from None


def _jsonl_column(path: Path, column: str | None) -> str:
    for number, row in islice(_jsonl_rows(path), 1):
        if isinstance(row, dict) and (column or COLUMN) not in row:
            raise _missing(path, column, row, f"line {number}")
    return column or COLUMN


def _jsonl(path: Path, column: str) -> Iterator[Document]:
    for number, row in _jsonl_rows(path):
        if isinstance(row, str):
            text, id = row, number - 1
        elif isinstance(row, dict):
            if column not in row:
                raise _missing(path, column, row, f"line {number}")
            text, id = row[column], row.get("id")
            id = number - 1 if id is None or isinstance(id, (dict, list)) else str(id)
        else:
            raise UserError(f"Corpus file {path}: line {number} is neither a JSON object nor a string; mend this line.")
        if text is not None:
            yield _document(path, id, _string(path, text, column, f"line {number}"))


def _string(path: Path, text: Any, column: str, where: str) -> str:
    if not isinstance(text, str):
        raise UserError(
            f"Corpus file {path}: {column!r} in {where} is not text but {type(text).__name__}; name another column "
            f"with {path.name}#COLUMN."
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair, as "\ud83d" in JSON: no tokenizer takes it
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _missing(path: Path, column: str | None, columns: Any, where: str = "the header") -> UserError:
    asked = f"no column {column!r}" if column else f"no column {COLUMN!r} and not exactly one column of text"
    names = ", ".join(map(str, columns)) or "none"
    return UserError(f"Corpus file {path} has {asked} in {where}; name one with {path.name}#COLUMN: {names}.")


# --- .csv ---


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(2**31 - 1)  # the module's own limit of 131,072 characters is less than a long document
    rows = csv.reader(line for _, line in _lines(path))
    try:
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        raise UserError(f"Corpus file {path}: line {rows.line_num} is not CSV ({error}); mend this line.") from None


def _csv_column(path: Path, column: str | None) -> str:
    first = [row for _, row in islice(_csv_rows(path), _ROWS_LOOKED_AT + 1)]
    header, rows = first[0] if first else [], first[1:]
    if column is None and COLUMN not in header:
        textual = [
            name for i, name in enumerate(header) if any(len(row) > i and not _is_number(row[i]) for row in rows)
        ]
        if len(textual) == 1:
            return textual[0]
        raise _missing(path, None, header)
    if (column or COLUMN) not in header:
        raise _missing(path, column, header)
    return column or COLUMN


def _is_number(cell: str) -> bool:
    try:
        float(cell or "0")
    except ValueError:
        return False
    return True


def _csv(path: Path, column: str) -> Iterator[Document]:
    rows = _csv_rows(path)
    _, header = next(rows)
    place = header.index(column)
    for number, (_, row) in enumerate(rows):
        if len(row) > place:
            yield _document(path, number, row[place])


# --- .parquet ---


def _parquet_file(path: Path) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UserError(f"Corpus file {path} is not a readable Parquet file ({error}); write it again.") from None


def _parquet_column(path: Path, column: str | None) -> str:
    import pyarrow

    with _parquet_file(path) as opened:
        schema = opened.schema_arrow

    def textual(kind: Any) -> bool:
        kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
        types = pyarrow.types
        return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)

    columns = [name for name, kind in zip(schema.names, schema.types, strict=True) if textual(kind)]
    if column is not None:
        if column not in schema.names:
            raise _missing(path, column, schema.names)
        if column not in columns:
            names = ", ".join(columns) or "none"
            raise UserError(f"Corpus file {path}: column {column!r} holds no text; columns of text: {names}.")
        return column
    if COLUMN in columns:
        return COLUMN
    if len(columns) != 1:
        raise _missing(path, None, schema.names)
    return columns[0]


def _parquet(path: Path, column: str) -> Iterator[Document]:
    import pyarrow

    number = 0
    with _parquet_file(path) as opened:
        batches = opened.iter_batches(batch_size=256, columns=[column])
        try:
            for batch in batches:
                for text in batch.column(0).to_pylist():
                    if text is not None:
                        yield _document(path, number, text)
                    number += 1
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise UserError(f"Corpus file {path} is damaged after row {number} ({error}); write it again.") from None


_READERS: dict[str, Callable[..., Iterator[Document]]] = {
    ".txt": _text,
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
_COLUMNS: dict[str, Callable[[Path, str | None], str]] = {
    ".jsonl": _jsonl_column,
    ".csv": _csv_column,
    ".parquet": _parquet_column,
}
