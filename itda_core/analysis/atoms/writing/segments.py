"""The segments of an index that is being made: what consecutive tokens gave, on the disk, whole or not at all.

A segment is a folder in the work folder; `state.json` says how far reading has come with it, and what its files hold.
From the segments that are there, a process that was started again goes on; in the end they are put together.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from itda_core.analysis.atoms.index_format import FORMAT_VERSION, TOKEN_COLUMNS, WINDOW_COLUMNS, schema
from itda_core.analysis.atoms.writing.merging import SUMS, Sorted
from itda_core.errors import UserError
from itda_core.files import PARTIAL, explained, new_folder, open_regular, read_json, write_json
from itda_core.files.dataclass_schema import read_as

if TYPE_CHECKING:
    import pyarrow as pa

_PREFIX, _STATE = "segment-", "state.json"
_OFFSETS, _ENTRIES, _CODES, _SUMS = "offsets.bin", "entries.bin", "codes.bin", "sums.bin"
_TOKENS, _WINDOWS = "tokens.arrow", "windows.arrow"
_ENTRY_DTYPES = (np.dtype(np.int32), np.dtype(np.float32), np.dtype(np.uint16))
_BYTES_AT_ONCE = 2**24


@dataclass(frozen=True)
class Reached:
    """How far reading has come: all of it from the beginning."""

    windows: int = 0
    tokens: int = 0  # rows of tokens.parquet
    entries: int = 0
    sinks: int = 0
    energy: float = 0.0  # sum of squared norms
    seconds: float = 0.0  # of work


@dataclass(frozen=True)
class _State:
    version: int
    identity: str  # of the work, see `open_segments`
    reached: Reached
    entries: int  # of this segment
    files: dict[str, Any]  # name -> [bytes, crc32]


@dataclass(frozen=True)
class Segment:
    """One segment that is whole."""

    folder: Path
    reached: Reached  # at its end
    entries: int

    def offsets(self, first: int, last: int) -> np.ndarray:
        """Where the entries of atoms `first` to `last`, both included, begin in it: int64."""
        return _read(self.folder / _OFFSETS, first * 8, last - first + 1, np.dtype(np.int64))

    def part(self, begin: int, end: int) -> Sorted:
        """Its entries from number `begin` to `end`; their offsets are left out."""
        found, at = [], 0
        for dtype in _ENTRY_DTYPES:
            place = at + begin * dtype.itemsize
            found.append(_read(self.folder / _ENTRIES, place, end - begin, dtype))
            at += self.entries * dtype.itemsize
        return Sorted(np.empty(0, dtype=np.int64), *found)

    def sums(self, n_atoms: int) -> np.ndarray:
        """The sums over all entries up to its end: (len(SUMS), n_atoms) float64."""
        return _read(self.folder / _SUMS, 0, len(SUMS) * n_atoms, np.dtype(np.float64)).reshape(len(SUMS), n_atoms)

    def tokens(self) -> pa.Table:
        """Its rows of tokens.parquet."""
        return _read_table(self.folder / _TOKENS)

    def windows(self) -> pa.Table:
        """Its rows of windows.parquet."""
        return _read_table(self.folder / _WINDOWS)

    @property
    def codes(self) -> Path:
        """The file that holds its rows of codes.npy, without a header."""
        return self.folder / _CODES


def write_segment(
    work: Path,
    number: int,
    identity: str,
    reached: Reached,
    entries: Sorted,
    sums: np.ndarray,
    codes: Sequence[np.ndarray],
    tokens: Mapping[str, Any],
    windows: Mapping[str, Any],
) -> Segment:
    """The segment `number` in the folder `work`, on the disk when this returns.

    codes: (n_tokens, slots) each, one after the other; tokens, windows: their columns.
    Raises UserError when the disk is full; nothing of it is there then.
    """
    path = work / f"{_PREFIX}{number:06d}"
    with new_folder(path) as folder:
        files = {
            _OFFSETS: _write(folder / _OFFSETS, [entries.offsets]),
            _ENTRIES: _write(folder / _ENTRIES, entries[1:]),
            _SUMS: _write(folder / _SUMS, [sums]),
            _CODES: _write(folder / _CODES, codes),
            _TOKENS: _write(folder / _TOKENS, [_table_bytes(tokens, TOKEN_COLUMNS)]),
            _WINDOWS: _write(folder / _WINDOWS, [_table_bytes(windows, WINDOW_COLUMNS)]),
        }
        n_entries = len(entries.tokens)
        write_json(folder / _STATE, asdict(_State(FORMAT_VERSION, identity, reached, n_entries, files)), synced=False)
    return Segment(path, reached, n_entries)


def open_segments(work: Path, identity: str, *, resume: bool) -> tuple[list[Segment], str | None]:
    """The segments in `work` that another process left, in order, and a sentence where they are of no use.

    identity: what the work must share with them. Without `resume`, and where one of them is damaged or belongs to other
    work, all are removed. Raises UserError where the folder cannot be written.
    """
    with explained(work):
        work.mkdir(parents=True, exist_ok=True)
        for path in work.glob(f"{PARTIAL}*"):
            shutil.rmtree(path, ignore_errors=True)
        paths = sorted(work.glob(f"{_PREFIX}*"))
        problem = None
        if resume:
            try:
                return [_opened(path, number, identity) for number, path in enumerate(paths)], None
            except UserError as error:
                problem = f"What there was of this index is of no use, so it begins anew: {error}"
        remove_segments(paths)
    return [], problem


def remove_segments(paths: Sequence[Path]) -> None:
    """Delete these, the last one first, so that those left over belong together."""
    for path in reversed(paths):
        shutil.rmtree(path)


def _opened(path: Path, number: int, identity: str) -> Segment:
    state = read_as(_State, read_json(path / _STATE, strict=True), "state of an unfinished index")
    if state.version != FORMAT_VERSION or state.identity != identity:
        raise UserError("it was begun with other settings, another text or another version of this program.")
    if path.name != f"{_PREFIX}{number:06d}":
        raise UserError(f"{_PREFIX}{number:06d} is missing.")
    names = {_OFFSETS, _ENTRIES, _SUMS, _CODES, _TOKENS, _WINDOWS}
    if set(state.files) != names or any(_sum_of(path / name) != state.files[name] for name in names):
        raise UserError(f"{path.name} is damaged, it is not what was written.")
    return Segment(path, state.reached, state.entries)


def identity_of(settings: Mapping[str, Any]) -> str:
    """`settings` as the text by which work is known again."""
    return json.dumps(settings, sort_keys=True, default=str)


def _write(path: Path, parts: Sequence[np.ndarray]) -> list[int]:
    """Parts one after the other; returns their bytes and the crc32 of all."""
    size = crc = 0
    with path.open("wb") as file:
        for part in parts:
            raw = np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
            file.write(raw)
            size, crc = size + len(raw), zlib.crc32(raw, crc)
    return [size, crc]


def _sum_of(path: Path) -> list[int]:
    size = crc = 0
    with open_regular(path) as file:
        while block := file.read(_BYTES_AT_ONCE):
            size, crc = size + len(block), zlib.crc32(block, crc)
    return [size, crc]


def _read(path: Path, at: int, count: int, dtype: np.dtype[Any]) -> np.ndarray:
    with path.open("rb") as file:
        return np.fromfile(file, dtype=dtype, count=count, offset=at)


def _table_bytes(columns: Mapping[str, Any], kinds: Mapping[str, str]) -> np.ndarray:
    import pyarrow as pa

    declared = schema(kinds)
    table = pa.table({own.name: pa.array(columns[own.name], type=own.type) for own in declared}, schema=declared)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, declared) as file:
        file.write_table(table)
    return np.frombuffer(sink.getvalue(), dtype=np.uint8)


def _read_table(path: Path) -> pa.Table:
    import pyarrow as pa

    with pa.OSFile(str(path)) as source:
        return pa.ipc.open_file(source).read_all()
