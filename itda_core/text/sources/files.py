"""Documents of files: text, JSON lines, CSV and Parquet.

Every reader streams, and what it holds at once is bounded whatever the file: a line or a cell beyond LONGEST_LINE and
its like is refused, and a document beyond LONGEST_DOCUMENT characters comes in several pieces.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Protocol

from itda_core.arguments import one_of, user_path
from itda_core.errors import UserError
from itda_core.text.corpus_kinds import ENDINGS, FILES, GRAMMAR, FileKind
from itda_core.text.document import Document, Source
from itda_core.text.sources.corpus_file import CorpusFile


class Reader(Protocol):
    """How files of one kind are read: a module of this room."""

    def choose(self, file: CorpusFile, opened: BufferedReader, column: str | None) -> Any:
        """What to read of the file, and how, where this `column` was asked for. Raises UserError without it."""
        ...

    def columns(self, file: CorpusFile, opened: BufferedReader) -> Iterable[str]:
        """The columns of text that the file seems to have; none where it is no table. Raises UserError for damage."""
        ...

    def column(self, chosen: Any) -> str | None:
        """Which of them `chosen` reads; None where the file is no table."""
        ...

    def read(self, file: CorpusFile, opened: BufferedReader, chosen: Any, changes: set[str]) -> Iterator[Document]:
        """The documents, as `choose` decided. changes: gets what the fingerprint must record of them, see pieces."""
        ...

    def fingerprinted(self, chosen: Any) -> str:
        """The part of the fingerprint that depends on `chosen`; "" for the usual choice."""
        ...


@dataclass(frozen=True)
class TextColumns:
    """The columns of text of a file that is a table."""

    path: str  # of the file, as it was given; `#` and a name behind it choose a column
    names: tuple[str, ...]
    usual: str | None  # that is read when none is named; None: one has to be named
    named: str | None  # that the reference names

    def reference(self, name: str | None) -> str:
        """What names the file with that column; the shorter way where it is the usual one."""
        return self.path if name in (None, self.usual) else f"{self.path}#{name}"


def text_columns(reference: str) -> TextColumns | None:
    """Which columns of text the file has that `reference` names; None for a file that is no table.

    Raises UserError when there is no such file, or it is damaged; not when none of its columns, or another one, is
    named.
    """
    path, named = path_and_column(reference)
    kind = _kind_at(path, reference)
    reader: Reader = resolve_name(kind.reader)
    found = CorpusFile.at(path)
    with found.opened() as opened:
        names = tuple(reader.columns(found, opened))
        opened.seek(0)
        usual = None
        with suppress(UserError):
            usual = reader.column(reader.choose(found, opened, None))
    if not names:
        return None
    given = reference.rpartition("#")[0] if named is not None else reference
    return TextColumns(given, names, usual, named)


def _kind_at(path: Path, reference: str | Path) -> FileKind:
    """Raises UserError for a folder, and for files of no kind that is read."""
    if os.path.isdir(path):  # which, other than Path's own, has an answer for names that no file can have
        raise UserError(f"Corpus {path} is a folder; give one file: {one_of(ENDINGS)}.")
    kind = next((kind for kind in FILES if kind.ending == path.suffix.lower()), None)
    if kind is None:
        raise UserError(f"Corpus {str(reference)[:200]!r} is unknown; give {GRAMMAR}.")
    return kind


def file(reference: str | Path) -> Source:
    """The documents of a file of a known kind; `reference` is its path, perhaps with `#COLUMN`.

    Raises UserError when there is no such file, its kind is unknown or the column is missing; while it is read, where
    it is damaged, or no longer what it was when this was called.
    """
    path, column = path_and_column(reference)
    kind = _kind_at(path, reference)
    reader: Reader = resolve_name(kind.reader)
    found = CorpusFile.at(path)
    with found.opened() as opened:
        chosen = reader.choose(found, opened, column)

    def read() -> Iterator[Document]:
        with found.opened() as opened:
            for document in reader.read(found, opened, chosen, set()):
                found.check(opened)
                yield document

    def changes(opened: BufferedReader) -> set[str]:
        """The changes in how documents are read since earlier versions, found by reading all of them."""
        found_so_far: set[str] = set()
        if not kind.always_alike:
            opened.seek(0)
            with suppress(UserError):  # damage is reported when reading comes to it; nothing after it is read
                for _ in reader.read(found, opened, chosen, found_so_far):
                    pass
        return found_so_far

    def fingerprint() -> str:
        with found.opened() as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            fingerprinted = reader.fingerprinted(chosen) + "".join(f" {change}" for change in sorted(changes(opened)))
        return hashlib.sha256(f"{digest}{fingerprinted}".encode()).hexdigest() if fingerprinted else digest

    return Source(found.name if column is None else f"{found.name}#{column}", read, fingerprint)


def path_and_column(reference: str | Path) -> tuple[Path, str | None]:
    """The file meant, and the column that follows its path after a `#`. Raises UserError for a home nobody has."""
    whole = user_path(reference)
    if isinstance(reference, str) and "#" in reference and not os.path.lexists(whole):
        name, column = reference.rsplit("#", 1)
        return user_path(name), column
    return whole, None
