"""Segments put together: the entries of all of them sorted by atom, in row groups, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from itda_core.analysis.atoms.index_format import ENTRY_COLUMNS, ROWS_PER_GROUP, schema
from itda_core.analysis.atoms.writing.merging import Sorted, deal
from itda_core.analysis.atoms.writing.segments import Segment

if TYPE_CHECKING:
    import pyarrow as pa

ENTRIES_AT_ONCE = 2**22  # gathered: about 100 MiB
# Measured on 4,000,000 entries of 16,000 atoms, two cores: zstd at level 1 writes as quickly as no compression does, 23
# million entries a second; level 3 makes nothing smaller. Differences of tokens save 15 %; the bytes of floats apart
# save where coefficients are alike in size.
_DELTA, _BYTES_APART = "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"
_ENCODINGS: Mapping[str, str] = {
    **dict.fromkeys(("token", "window", "position", "char_start", "char_end"), _DELTA),
    **dict.fromkeys(("coefficient", "norm", "relative_error"), _BYTES_APART),
}


def write_entries(path: Path, segments: Sequence[Segment], n_atoms: int) -> Iterator[int]:
    """Writes entries.parquet; yields how many entries are written, now and then."""
    counts = np.zeros(n_atoms, dtype=np.int64)
    for segment in segments:
        counts += np.diff(segment.offsets(0, n_atoms))
    tables = (_table(atoms, part) for atoms, part in _in_order(segments, counts))
    yield from write_groups(path, schema(ENTRY_COLUMNS), tables, group_sizes(counts))


def group_sizes(counts: np.ndarray, limit: int = ROWS_PER_GROUP) -> Iterator[int]:
    """Rows of each row group: they end where an atom ends, unless an atom alone has more than `limit`.

    counts: (n_atoms,) int64, entries of each atom.
    """
    size = 0
    for count in counts.tolist():
        if size and size + count > limit:
            yield size
            size = 0
        size += count
        while size > limit:
            yield limit
            size -= limit
    if size:
        yield size


def write_groups(
    path: Path, columns: pa.Schema, tables: Iterable[pa.Table], sizes: Iterator[int], *, level: int = 1
) -> Iterator[int]:
    """Writes the rows of `tables` as a Parquet file in row groups of these sizes; yields the rows written so far."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    encodings = {name: encoding for name, encoding in _ENCODINGS.items() if name in columns.names}
    others = [name for name in columns.names if name not in encodings]
    written, held = 0, columns.empty_table()
    size = next(sizes, 0)
    with (
        path.open("wb") as file,  # ours: it says what the system refuses
        pq.ParquetWriter(
            file,
            columns,
            compression="zstd",
            compression_level=level,
            use_dictionary=others,  # pyright: ignore[reportArgumentType]  (the names of columns too)
            column_encoding=encodings,
            store_schema=False,
        ) as writer,
    ):
        for table in tables:
            held = pa.concat_tables([held, table])
            while size and len(held) >= size:
                writer.write_table(held.slice(0, size).combine_chunks(), row_group_size=size)
                held, written = held.slice(size), written + size
                size = next(sizes, 0)
                yield written
        if len(held):
            writer.write_table(held.combine_chunks(), row_group_size=len(held))
    yield written + len(held)


def _in_order(segments: Sequence[Segment], counts: np.ndarray) -> Iterator[tuple[np.ndarray, Sorted]]:
    """All entries by atom and token, with the atom of each, at most about ENTRIES_AT_ONCE at a time."""
    for first, last in pairwise(_stretches(counts)):
        if counts[first:last].sum() > ENTRIES_AT_ONCE:  # one atom alone: its tokens are in the segments' order
            for segment in segments:
                begin, end = segment.offsets(first, last).tolist()
                if end > begin:
                    yield np.full(end - begin, first, dtype=np.int32), segment.part(begin, end)
        else:
            yield _gathered(segments, counts, first, last)


def _stretches(counts: np.ndarray) -> list[int]:
    """Where stretches of atoms begin, and where the last one ends: none has more than ENTRIES_AT_ONCE entries, but one
    of a single atom.
    """
    bounds, size = [0], 0
    for atom, count in enumerate(counts.tolist()):
        if size and size + count > ENTRIES_AT_ONCE:
            bounds.append(atom)
            size = 0
        size += count
    return [*bounds, len(counts)]


def _gathered(segments: Sequence[Segment], counts: np.ndarray, first: int, last: int) -> tuple[np.ndarray, Sorted]:
    """The entries of atoms `first` to before `last` from all segments."""
    own = counts[first:last]
    ends = np.cumsum(own)
    n, places = int(ends[-1]), ends - own
    into = Sorted(ends, np.empty(n, np.int32), np.empty(n, np.float32), np.empty(n, np.uint16))
    for segment in segments:
        offsets = segment.offsets(first, last)
        if offsets[-1] > offsets[0]:
            deal(np.diff(offsets), segment.part(int(offsets[0]), int(offsets[-1])), places, into)
    return np.repeat(np.arange(first, last, dtype=np.int32), own), into


def _table(atoms: np.ndarray, part: Sorted) -> pa.Table:
    import pyarrow as pa

    return pa.table(dict(zip(ENTRY_COLUMNS, (atoms, *part[1:]), strict=True)), schema=schema(ENTRY_COLUMNS))
