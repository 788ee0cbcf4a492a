"""An atom index opened for reading, through DuckDB."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.analysis.atoms.index_format import (
    ATOM_COLUMNS,
    ATOMS,
    CODES,
    DESCRIPTION,
    ENTRIES,
    ENTRY_COLUMNS,
    FORMAT,
    FORMAT_VERSION,
    TOKEN_COLUMNS,
    TOKENS,
    WINDOW_COLUMNS,
    WINDOWS,
    IndexDescription,
    no_atom,
    schema,
)
from itda_core.arguments import plain
from itda_core.errors import UserError
from itda_core.files import read_json, shown
from itda_core.files.dataclass_schema import read_as
from itda_core.files.reading import regular

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow.parquet as pq

_GROUPS_HELD = 32  # row groups of windows: about half a megabyte each
_REMEDY = "make the index anew (itda atoms index)"
_NO_EXTENSIONS: dict[str, Any] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}  # nothing is fetched


class Entries(NamedTuple):
    """The tokens whose codes use an atom, in reading order; each array is (n_entries,)."""

    token: np.ndarray  # int32, rows of tokens.parquet, ascending
    coefficient: np.ndarray  # float32, never 0
    step: np.ndarray  # uint16, of the pursuit, from 0


class Tokens(NamedTuple):
    """What is known of some tokens; each array is (n_tokens,)."""

    window: np.ndarray
    position: np.ndarray
    token_id: np.ndarray
    char_start: np.ndarray
    char_end: np.ndarray
    norm: np.ndarray
    relative_error: np.ndarray


class IndexedWindow(NamedTuple):
    """One window of the text that was read."""

    row: int
    document: str
    window_start: int
    text: str
    kind: str | None
    first_token: int
    n_tokens: int


class AtomIndex:
    """An index in a folder. Several threads may read it at once.

    `description` is what index.json says; `folder` is where it lies.
    """

    def __init__(self, folder: Path, description: IndexDescription) -> None:
        """See `open`."""
        self.folder, self.description = folder, description
        self._lock = threading.Lock()
        self._held: OrderedDict[int, Mapping[str, list[Any]]] = OrderedDict()

    @classmethod
    def open(cls, folder: str | Path) -> AtomIndex:
        """The index in `folder`. Raises UserError where there is none, for one of another version, and where files are
        missing, damaged or do not belong together."""
        folder = Path(folder)
        index = cls(folder, description_of(folder))
        index._check()
        return index

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A connection of the caller's own, with the views entries, tokens, windows and atoms (columns: index_format).

        What DuckDB raises while a query is read becomes a UserError inside `reading()`.
        """
        return self._database.cursor()

    def entries(self, atom: int) -> Entries:
        """Where `atom` is used. Raises UserError for an atom that the dictionary does not have, and for damage."""
        import numpy as np

        atom, n_tokens = self.checked(atom), self.description.tokens
        query = "SELECT token, coefficient, step FROM entries WHERE atom = ?"
        with self.reading():
            found = self.connection().execute(query, [atom]).fetchnumpy()
        token, coefficient, step = (np.asarray(found[name]) for name in ("token", "coefficient", "step"))
        if np.ma.isMaskedArray(found["token"]) or (len(token) and not 0 <= token.min() <= token.max() < n_tokens):
            raise self._damaged(ENTRIES, "it names tokens that are not there")
        order = np.argsort(token, kind="stable")  # DuckDB keeps no order of its own between row groups
        return Entries(token[order], coefficient[order], step[order])

    @cached_property
    def sums(self) -> Mapping[str, np.ndarray]:
        """The columns of atoms.parquet, each (n_atoms,). Raises UserError for damage."""
        import numpy as np

        with self.reading():
            found = self.connection().execute("SELECT * FROM atoms").fetchnumpy()
        return {name: np.asarray(column) for name, column in found.items()}

    def largest(self, atom: int) -> float:
        """The largest |coefficient| of `atom`, 0 where it is never used. Raises UserError as `entries`."""
        atom = self.checked(atom)
        return max(abs(float(self.sums[name][atom])) for name in ("largest", "smallest"))

    @cached_property
    def all_tokens(self) -> Tokens:
        """Every token, in reading order: 28 bytes each are held from then on. Raises UserError for damage."""
        import numpy as np

        with self.reading():
            query = f"SELECT {', '.join(map(_quoted, Tokens._fields))} FROM tokens"
            found = self.connection().execute(query).fetchnumpy()
        tokens = Tokens(*(np.asarray(found[name]) for name in Tokens._fields))
        if len(tokens.window) and not 0 <= tokens.window.min() <= tokens.window.max() < self.description.windows:
            raise self._damaged(TOKENS, "it names windows that are not there")
        return tokens

    def tokens(self, rows: np.ndarray | Sequence[int]) -> Tokens:
        """What is known of the tokens with these numbers, in their order. Raises UserError for damage."""
        return Tokens(*(column[rows] for column in self.all_tokens))

    @cached_property
    def spans(self) -> np.ndarray:
        """Per token what the corpus knows of it, see index_format: objects, str or None. Raises UserError for
        damage."""
        import numpy as np

        with self.reading():
            found = self.connection().execute("SELECT span FROM tokens").fetchnumpy()
        return np.array(_texts(found["span"]), dtype=object)

    @cached_property
    def kinds(self) -> tuple[tuple[str, ...], np.ndarray]:
        """The kinds of document in alphabetical order, and per window the number of its own (-1: none is known)."""
        import numpy as np

        with self.reading():
            query = "SELECT kind FROM read_parquet(?, file_row_number = true) ORDER BY file_row_number"
            found = self.connection().execute(query, [str(self.folder / WINDOWS)]).fetchnumpy()
        kinds = _texts(found["kind"])
        names = tuple(sorted({kind for kind in kinds if kind is not None}))
        number: dict[str | None, int] = {name: i for i, name in enumerate(names)}
        return names, np.array([number.get(kind, -1) for kind in kinds], dtype=np.int32)

    def windows(self, rows: Sequence[int] | np.ndarray) -> list[IndexedWindow]:
        """The windows with these numbers, in their order. Raises UserError for damage."""
        found: list[IndexedWindow] = []
        with self.reading(), self._lock:  # one file handle, moved by every reading
            _, ends = self._windows_file
            for row in map(int, rows):
                group = bisect_right(ends, row)
                columns = self._windows_of(group)
                at = row - (ends[group - 1] if group else 0)
                found.append(IndexedWindow(row, *(columns[name][at] for name in WINDOW_COLUMNS)))
        return found

    def _windows_of(self, group: int) -> Mapping[str, list[Any]]:
        """The columns of a row group of windows; the last ones read are kept, because one page asks for the same ones
        many times.
        """
        if group not in self._held:
            file, _ = self._windows_file
            self._held[group] = file.read_row_group(group).to_pydict()
            if len(self._held) > _GROUPS_HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(group)
        return self._held[group]

    @cached_property
    def codes(self) -> np.ndarray:
        """The atoms of each token, (n_tokens, slots), see index_format; read in place. Raises UserError for damage."""
        import numpy as np

        about, path = self.description, self.folder / CODES
        try:
            codes = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(CODES, shown(error)[:200]) from None
        if codes.shape != (about.tokens, about.slots) or codes.dtype != no_atom(about.n_atoms).dtype:
            raise self._damaged(CODES, f"its shape is {codes.shape}")
        return codes

    def checked(self, atom: int) -> int:
        """`atom`, an atom of the dictionary. Raises UserError where it is none."""
        atom, n_atoms = plain(atom), self.description.n_atoms
        if isinstance(atom, bool) or not isinstance(atom, int) or not 0 <= atom < n_atoms:
            raise UserError(f"There is no atom {atom!r:.200}; this dictionary has atoms 0 to {n_atoms - 1}.")
        return atom

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turns what DuckDB and pyarrow raise for damaged files into one clear sentence."""
        import duckdb
        import pyarrow as pa

        try:
            yield
        except duckdb.ParserException:  # a mistake of ours
            raise
        except (duckdb.Error, pa.ArrowException, OSError, StopIteration, KeyError, IndexError) as error:
            raise self._damaged("", shown(error).splitlines()[0][:200]) from None

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        with self._lock:
            database = duckdb.connect(":memory:", config=_NO_EXTENSIONS)
            database.execute("SET parquet_metadata_cache = true")
            for name in (ENTRIES, TOKENS, WINDOWS, ATOMS):
                path = str(self.folder / name).replace("'", "''")
                database.execute(f"CREATE VIEW {name.removesuffix('.parquet')} AS FROM read_parquet('{path}')")
        return database

    @cached_property
    def _windows_file(self) -> tuple[pq.ParquetFile, list[int]]:
        """The file, and the row behind the last one of each of its row groups."""
        import pyarrow.parquet as pq

        file, ends = pq.ParquetFile(self.folder / WINDOWS), list[int]()
        for i in range(file.metadata.num_row_groups):
            ends.append((ends[-1] if ends else 0) + file.metadata.row_group(i).num_rows)
        return file, ends

    def _check(self) -> None:
        """Raises UserError where the files are not those that index.json describes."""
        import pyarrow.parquet as pq

        about = self.description
        wanted = {
            ENTRIES: (ENTRY_COLUMNS, about.entries),
            TOKENS: (TOKEN_COLUMNS, about.tokens),
            WINDOWS: (WINDOW_COLUMNS, about.windows),
            ATOMS: (ATOM_COLUMNS, about.n_atoms),
        }
        for name, (columns, rows) in wanted.items():
            regular(self.folder / name)
            with self.reading():
                found = pq.read_metadata(self.folder / name)
            if found.num_rows != rows:
                raise self._damaged(name, f"it has {found.num_rows:,} rows, where {rows:,} belong")
            if not found.schema.to_arrow_schema().equals(schema(columns)):
                raise self._damaged(name, "it has other columns")
        _ = self.codes

    def _damaged(self, name: str, why: str) -> UserError:
        return UserError(f"The atom index {shown(self.folder / name)} is damaged ({why}); {_REMEDY}.")


def _texts(column: Any) -> list[str | None]:
    """A column of DuckDB's as a list, None where it has null."""
    return column.tolist()  # of a masked array, what is masked is None


def _quoted(column: str) -> str:
    """A column's name in a query: "window" alone is a word of SQL."""
    return f'"{column}"'


def description_of(folder: Path) -> IndexDescription:
    """What the index in `folder` says of itself, its other files unread.

    Raises UserError where there is none, for one of another version, and for damage.
    """
    if not (folder / DESCRIPTION).exists():
        raise UserError(f"There is no atom index in {shown(folder)}; {_REMEDY}.")
    found = read_json(folder / DESCRIPTION, strict=True)
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise UserError(f"{shown(folder / DESCRIPTION)} does not describe an atom index; {_REMEDY}.")
    if (version := found.pop("format_version", None)) != FORMAT_VERSION:
        raise UserError(
            f"The atom index {shown(folder)} has format version {version!r:.20}, this program reads {FORMAT_VERSION}; "
            f"{_REMEDY}."
        )
    return read_as(IndexDescription, found, "atom index")
