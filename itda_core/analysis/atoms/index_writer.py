"""Writes an atom index: codes come in, token by token; the files of index_format come out.

Memory does not grow with the text: what some 100,000 tokens gave is kept on the disk as a segment, sorted by atom, and
the segments are put together in the end. They also are what a process that was killed leaves for the next one.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from itda_core.analysis.atoms.index_format import (
    ATOM_COLUMNS,
    ATOMS,
    CODES,
    DESCRIPTION,
    ENTRIES,
    FORMAT,
    FORMAT_VERSION,
    ROWS_PER_GROUP,
    TOKEN_COLUMNS,
    TOKENS,
    WINDOW_COLUMNS,
    WINDOWS,
    WINDOWS_PER_GROUP,
    IndexDescription,
    no_atom,
    schema,
)
from itda_core.analysis.atoms.writing.entries_file import write_entries, write_groups
from itda_core.analysis.atoms.writing.merging import Entries, add_sums, no_sums, sum_columns
from itda_core.analysis.atoms.writing.segments import (
    Reached,
    identity_of,
    open_segments,
    remove_segments,
    write_segment,
)
from itda_core.files import new_folder, write_json

if TYPE_CHECKING:
    import pyarrow as pa

ENTRIES_PER_SEGMENT, TOKENS_PER_SEGMENT = 2**22, 2**20
_TEXT_LEVEL = 9  # of zstd, for the windows: a fifth smaller than level 1, and there is little of it
_SHARE_OF_ENTRIES = 0.9  # of the work of putting segments together


@dataclass(frozen=True)
class Batch:
    """What consecutive windows gave."""

    documents: Sequence[str]  # of each window
    starts: Sequence[int]  # first character of each window in its document
    texts: Sequence[str]
    kinds: Sequence[str | None]
    tokens: Mapping[str, Any]  # the columns of tokens.parquet; `window` counts from 0 within the batch, ascending
    indices: np.ndarray  # (n_tokens, slots) int64, rows of the dictionary, as pursuit.SparseCode
    coefficients: np.ndarray  # (n_tokens, slots) float32; 0 in a slot that was not needed
    sinks: int = 0  # tokens left out


class IndexWriter:
    """The work folder of one index while it is made; see `take`, `save` and `finish`.

    `reached` is how far reading has come; `problem` says, in a sentence, why earlier work could not be gone on with.
    """

    def __init__(
        self,
        work: Path,
        settings: Mapping[str, Any],
        n_atoms: int,
        slots: int,
        *,
        resume: bool = False,
        entries_per_segment: int = ENTRIES_PER_SEGMENT,
    ) -> None:
        """settings: all that makes one index another than the next one; with `resume`, work of the same settings is
        gone on with, and anything else that lies there is removed. Raises UserError where nothing can be written.
        """
        self._work, self._n_atoms, self._slots = work, n_atoms, slots
        self._identity = identity_of({**settings, "atoms": n_atoms, "slots": slots})
        self._segments, self.problem = open_segments(work, self._identity, resume=resume)
        self.reached = self._segments[-1].reached if self._segments else Reached()
        self._sums = self._segments[-1].sums(n_atoms) if self._segments else no_sums(n_atoms)
        self._entries = Entries(n_atoms, entries_per_segment)
        self._pending: list[tuple[Batch, np.ndarray]] = []  # with the rows of codes.npy
        self._saved = self.reached

    @property
    def unsaved(self) -> int:
        """Tokens that a kill would lose."""
        return self.reached.tokens - self._saved.tokens

    def take(self, batch: Batch, seconds: float = 0.0) -> None:
        """What the next windows gave; `seconds`: of work so far. Raises UserError when the disk is full."""
        if not self._entries.has_room(batch.indices.size) or self.unsaved >= TOKENS_PER_SEGMENT:
            self.save()
        before = self._entries.count
        codes = self._entries.take(batch.indices, batch.coefficients, self.reached.tokens)
        norms = np.asarray(batch.tokens["norm"], dtype=np.float64)
        self._pending.append((batch, codes))
        self.reached = Reached(
            windows=self.reached.windows + len(batch.documents),
            tokens=self.reached.tokens + len(codes),
            entries=self.reached.entries + self._entries.count - before,
            sinks=self.reached.sinks + batch.sinks,
            energy=self.reached.energy + float(norms @ norms),
            seconds=seconds,
        )

    def save(self) -> None:
        """Put what was taken since the last time on the disk. Raises UserError when the disk is full."""
        if not self._pending:
            return
        first, entries, sums = self._saved, self._entries.sorted(), self._sums.copy()
        tokens, windows = self._columns(first)
        add_sums(sums, entries, np.asarray(tokens["norm"], dtype=np.float32), first.tokens)
        codes = [codes for _, codes in self._pending]
        segment = write_segment(
            *(self._work, len(self._segments), self._identity, self.reached, entries, sums, codes, tokens, windows)
        )
        self._segments.append(segment)
        self._sums, self._saved = sums, self.reached
        self._pending = []
        self._entries.clear()

    def finish(self, folder: Path, description: IndexDescription) -> Generator[float]:
        """Write the index `folder` in one rename and remove the work; yields which share is done, 0 to 1.

        description: what index.json is to say. Raises UserError when the folder exists or the disk is full; the work
        stays then.
        """
        self.save()
        reached = self.reached
        with new_folder(folder) as partial:
            for written in write_entries(partial / ENTRIES, self._segments, self._n_atoms):
                yield _SHARE_OF_ENTRIES * written / max(1, reached.entries)
            self._write_table(partial / TOKENS, TOKEN_COLUMNS, (one.tokens() for one in self._segments), ROWS_PER_GROUP)
            windows = (one.windows() for one in self._segments)
            self._write_table(partial / WINDOWS, WINDOW_COLUMNS, windows, WINDOWS_PER_GROUP, level=_TEXT_LEVEL)
            self._write_table(partial / ATOMS, ATOM_COLUMNS, [self._atom_rows()], ROWS_PER_GROUP)
            self._write_codes(partial / CODES)
            write_json(
                partial / DESCRIPTION, {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(description)}
            )
        self.clear()
        yield 1.0

    def clear(self) -> None:
        """Remove the work."""
        remove_segments([segment.folder for segment in self._segments])
        self._segments = []

    def _columns(self, first: Reached) -> tuple[dict[str, Any], dict[str, Any]]:
        """The columns of tokens and windows of all that is pending; first: what was reached before it."""
        tokens: dict[str, list[Any]] = {name: [] for name in TOKEN_COLUMNS}
        windows: dict[str, list[Any]] = {name: [] for name in WINDOW_COLUMNS}
        n_windows, n_tokens = first.windows, first.tokens
        for batch, codes in self._pending:
            local = np.asarray(batch.tokens["window"], dtype=np.int64)
            counts = np.bincount(local, minlength=len(batch.documents))
            for name in TOKEN_COLUMNS:
                tokens[name].append(local + n_windows if name == "window" else np.asarray(batch.tokens[name]))
            starts = n_tokens + np.cumsum(counts) - counts
            own = (batch.documents, batch.starts, batch.texts, batch.kinds, starts.tolist(), counts.tolist())
            for name, values in zip(WINDOW_COLUMNS, own, strict=True):
                windows[name].extend(values)
            n_windows, n_tokens = n_windows + len(batch.documents), n_tokens + len(codes)
        return {name: np.concatenate(parts) for name, parts in tokens.items()}, windows

    def _write_table(
        self, path: Path, columns: Mapping[str, str], tables: Any, rows_per_group: int, *, level: int = 1
    ) -> None:
        for _ in write_groups(path, schema(columns), tables, repeat(rows_per_group), level=level):
            pass

    def _atom_rows(self) -> pa.Table:
        import pyarrow as pa

        return pa.table(sum_columns(self._sums), schema=schema(ATOM_COLUMNS))

    def _write_codes(self, path: Path) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(no_atom(self._n_atoms).dtype),
            "fortran_order": False,
            "shape": (self.reached.tokens, self._slots),
        }
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for segment in self._segments:
                with segment.codes.open("rb") as part:
                    shutil.copyfileobj(part, file, 2**22)
