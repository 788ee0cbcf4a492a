"""Documents of a .parquet file: cells of one column of text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from itda_core.errors import UserError
from itda_core.foreign import foreign
from itda_core.text.document import Document
from itda_core.text.pieces import pieces
from itda_core.text.sources.columns import COLUMN, fingerprinted, listed, missing
from itda_core.text.sources.corpus_file import CorpusFile
from itda_core.text.sources.pages import largest_page

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_ROWS_AT_ONCE = 2**16
_BYTES_AT_ONCE = 256 * 2**20  # that so many rows may have at most; a page may say one of its texts many times
_BUFFER = 2**20  # bytes read from the file at once


__all__ = ["choose", "column", "columns", "fingerprinted", "read"]


def choose(file: CorpusFile, opened: BufferedReader, column: str | None) -> str:
    """The column to read: the one asked for, or `text`, or the only one of text. Raises UserError without one."""
    names, columns = _columns(file, opened)
    wanted = column or COLUMN
    if names.count(wanted) > 1:
        raise UserError(f"Corpus file {file.path} has several columns {wanted[:200]!r}; give each a name of its own.")
    if wanted in columns:
        return wanted
    if column is not None and column in names:
        raise UserError(
            f"Corpus file {file.path}: column {column[:200]!r} holds no text; columns of text: {listed(columns)}."
        )
    if column is not None or len(columns) != 1:
        raise missing(file, column, names)
    return columns[0]


def columns(file: CorpusFile, opened: BufferedReader) -> list[str]:
    """Those whose type is text and whose name is theirs alone."""
    names, textual = _columns(file, opened)
    return [name for name in textual if names.count(name) == 1]


def column(chosen: str) -> str:
    """The column itself."""
    return chosen


def _columns(file: CorpusFile, opened: BufferedReader) -> tuple[list[str], list[str]]:
    """The names of all columns, and of those of text."""
    import pyarrow

    types = pyarrow.types

    def textual(kind: Any) -> bool:
        kind = kind.value_type if types.is_dictionary(kind) else kind
        return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)

    with _reading(file, opened) as table:
        schema = table.schema_arrow
        return schema.names, [one.name for one in schema if textual(one.type)]


def read(file: CorpusFile, opened: BufferedReader, column: str, changes: set[str]) -> Iterator[Document]:
    """A document for each cell that is not null, by the row's number (from 0).

    changes: gets pieces.CUT where a document so far was cut.
    """
    number = 0
    with _reading(file, opened) as table:
        for group in range(table.num_row_groups):
            rows = _rows_at_once(file, opened, table, group, column)
            batches = table.iter_batches(batch_size=rows, row_groups=[group], columns=[column], use_threads=False)
            for cells in (batch.column(column) for batch in _explained_batches(file, batches)):
                for row, cell in enumerate(cells if cells.null_count < len(cells) else (), start=number):
                    if (text := _text(file, cell, row + 1)) is not None:
                        for piece in pieces(f"{row:06d}", text, changes):
                            yield Document(f"{file.name}:{piece.id}", piece.text)
                number += len(cells)


def _text(file: CorpusFile, cell: Any, number: int) -> str | None:
    try:
        return cell.as_py()
    except UnicodeDecodeError as error:
        raise UserError(
            f"Corpus file {file.path}: row {number} is not UTF-8 (byte {error.start} of its text); write it again with "
            "text that is."
        ) from None


def _rows_at_once(file: CorpusFile, opened: BufferedReader, table: ParquetFile, group: int, column: str) -> int:
    """How many rows of a row group fit into _BYTES_AT_ONCE, whatever they hold: no text is longer than its page.

    Raises UserError where a page is too large to be held at all.
    """
    with _explained(file):
        parts = table.metadata.row_group(group)
        chunks = [chunk for i in range(parts.num_columns) if (chunk := parts.column(i)).path_in_schema == column]
        starts = [(chunk.dictionary_page_offset, chunk.data_page_offset) for chunk in chunks]
        places = [
            (min(start for start in both if start), chunk.total_compressed_size, chunk.num_values)
            for both, chunk in zip(starts, chunks, strict=True)
        ]
    largest = max((largest_page(file, opened, *place) for place in places), default=1)
    return max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE // max(1, largest)))


@contextmanager
def _reading(file: CorpusFile, opened: BufferedReader) -> Iterator[ParquetFile]:
    from pyarrow import parquet

    opened.seek(0)
    with _explained(file):
        table = parquet.ParquetFile(opened, pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True)
    with table:
        yield table


def _explained_batches(file: CorpusFile, batches: Iterator[Any]) -> Iterator[Any]:
    while True:
        with _explained(file):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _explained(file: CorpusFile) -> AbstractContextManager[None]:
    """Turns whatever the Parquet reader raises about a file into UserError; for damage it has a dozen kinds."""
    return foreign(
        lambda cause: UserError(f"Corpus file {file.path} is not a readable Parquet file ({cause}); write it again.")
    )
