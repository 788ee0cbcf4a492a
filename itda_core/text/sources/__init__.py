"""Where a corpus's documents come from: text, JSON lines, CSV and Parquet files.

Every reader streams, and what it holds at once is bounded whatever the file: a line or a cell beyond LONGEST_LINE and
its like is refused, and a document beyond LONGEST_DOCUMENT characters comes in several pieces.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

from itda_core.arguments import user_path
from itda_core.errors import UserError
from itda_core.text.corpus import GRAMMAR, Document
from itda_core.text.sources import delimited, json_lines, parquet, plain
from itda_core.text.sources.columns import COLUMN
from itda_core.text.sources.corpus_file import CorpusFile

__all__ = ["COLUMN", "Source", "file"]


class Source(NamedTuple):
    """What a Corpus is made of."""

    id: str
    read: Callable[[], Iterator[Document]]
    fingerprint: Callable[[], str]


class _Kind(NamedTuple):
    """How files of one kind are read."""

    choose: Callable[
        [CorpusFile, BufferedReader, str | None], Any
    ]  # what to read of it, and how, of the column asked for
    # By what `choose` gave; the set gets what of the documents so far belongs into the fingerprint, see pieces.CUT.
    read: Callable[[CorpusFile, BufferedReader, Any, set[str]], Iterator[Document]]
    told: Callable[[Any], str]  # what of that belongs into the fingerprint; "" for what is usual


_KINDS = {
    ".txt": _Kind(plain.choose, plain.read, lambda _: ""),
    ".jsonl": _Kind(json_lines.choose, json_lines.read, lambda column: "" if column == COLUMN else f"#{column}"),
    ".csv": _Kind(delimited.choose, delimited.read, delimited.told),
    ".parquet": _Kind(parquet.choose, parquet.read, lambda column: "" if column == COLUMN else f"#{column}"),
}


def file(reference: str | Path) -> Source:
    """The documents of a .txt, .jsonl, .csv or .parquet file; `reference` is its path, perhaps with `#COLUMN`.

    Raises UserError when there is no such file, its kind is unknown or the column is missing; while it is read, where
    it is damaged, or no longer what it was when this was called.
    """
    path, column = _path_and_column(reference)
    if os.path.isdir(path):  # which, other than Path's own, has an answer for names that no file can have
        raise UserError(f"Corpus {path} is a folder; give one file: .txt, .jsonl, .csv or .parquet.")
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"Corpus {str(reference)[:200]!r} is unknown; give {GRAMMAR}.")
    found = CorpusFile.at(path)
    with found.opened() as opened:
        chosen = kind.choose(found, opened, column)

    def read() -> Iterator[Document]:
        with found.opened() as opened:
            for document in kind.read(found, opened, chosen, set()):
                found.check(opened)
                yield document

    def changes(opened: BufferedReader) -> set[str]:
        """What documents tell that earlier versions read otherwise: it takes a look at all of them."""
        found_so_far: set[str] = set()
        if kind is not _KINDS[".txt"]:
            opened.seek(0)
            with suppress(UserError):  # damage, which is told when reading comes to it; what follows is never read
                for _ in kind.read(found, opened, chosen, found_so_far):
                    pass
        return found_so_far

    def fingerprint() -> str:
        with found.opened() as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            told = kind.told(chosen) + "".join(f" {change}" for change in sorted(changes(opened)))
        return hashlib.sha256(f"{digest}{told}".encode()).hexdigest() if told else digest

    return Source(found.name if column is None else f"{found.name}#{column}", read, fingerprint)


def _path_and_column(reference: str | Path) -> tuple[Path, str | None]:
    """The file meant, and the column that follows its path after a `#`. Raises UserError for a home nobody has."""
    whole = user_path(reference)
    if isinstance(reference, str) and "#" in reference and not os.path.lexists(whole):
        name, column = reference.rsplit("#", 1)
        return user_path(name), column
    return whole, None
