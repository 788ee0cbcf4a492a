"""The atom indices on this machine: which there are of a dictionary, and which of them is shown.

They are kept by the dictionary's identity, so that they outlast its being renamed. Those of the bundled dictionaries
come with the studio.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from itda_core.errors import UserError
from itda_core.files import PARTIAL, explained, partial_folder, read_json, shown, stamp, sync_folder, write_json
from itda_core.runs.home import indices_folder

if TYPE_CHECKING:
    from itda_core.analysis.atoms.index import AtomIndex
    from itda_core.analysis.atoms.index_format import IndexDescription

BUNDLED = Path(__file__).resolve().parents[3] / "assets" / "demo" / "indices"
_SOURCE = "source.json"  # beside an index's own files: where its text was
_DIGITS = 16  # of a corpus's fingerprint in the name of a folder


@dataclass(frozen=True)
class IndexEntry:
    """One index of a dictionary. Where `problem` is set it cannot be read, and `description` is None."""

    folder: Path
    bundled: bool = False
    description: IndexDescription | None = None
    problem: str | None = None  # one sentence


def indices_of(identity: str) -> list[IndexEntry]:
    """Those of the dictionary of this identity: the user's own newest first, the bundled one, then the damaged ones.

    Only what they say of themselves is read; the other files may be damaged as well (AtomIndex.open).
    """
    own = [_entry(path, bundled=False) for path in _folders(_of(identity))]
    found = [*own, *(entry for path in _folders(BUNDLED) if (entry := _entry(path, bundled=True)).problem is None)]
    of_it = [entry for entry in found if entry.problem is not None or _is_of(entry, identity)]
    of_it.sort(key=lambda entry: "" if entry.description is None else entry.description.created, reverse=True)
    of_it.sort(key=lambda entry: (entry.problem is not None, entry.bundled))
    return of_it


def shown_folder(identity: str) -> Path | None:
    """The folder of the first of `indices_of`, which opening may still find damaged; None where there is none."""
    return next((entry.folder for entry in indices_of(identity)), None)


def shown_of(identity: str) -> AtomIndex | None:
    """The index of this dictionary that is shown: the first of `indices_of` that is whole; None where there is none.

    Raises UserError, the sentence about the first of them, where all are damaged.
    """
    from itda_core.analysis.atoms.index import AtomIndex

    problem = None
    for entry in indices_of(identity):
        try:
            return AtomIndex.open(entry.folder)
        except UserError as error:
            problem = problem or error
    if problem is not None:
        raise problem
    return None


def folder_for(identity: str, corpus_fingerprint: str, tokens: int) -> Path:
    """Where the index of this dictionary on so many tokens of that text is kept."""
    return _of(identity) / f"{corpus_fingerprint[:_DIGITS]}-{tokens}"


def remember_source(folder: Path, corpus: str) -> None:
    """Write down, beside the index in `folder`, where its text was; see `text_changed`."""
    mark = stamp(_file_of(corpus))
    write_json(folder / _SOURCE, {"corpus": corpus, "stamp": None if mark is None else list(mark)})


def text_changed(folder: Path) -> str | None:
    """A sentence where the text of the index in `folder` is another now, or gone; None where it is not, or where that
    is not known. The index can be read all the same: its contexts lie in it.
    """
    from itda_core.analysis.atoms.index import description_of
    from itda_core.text import Corpus

    try:
        source = read_json(folder / _SOURCE, strict=True)
        corpus, mark = str(source["corpus"]), source["stamp"]
    except (UserError, KeyError, TypeError):
        return None
    if corpus.startswith("hf:") or (mark is not None and list(stamp(_file_of(corpus)) or ()) == mark):
        return None
    said = description_of(folder)
    try:
        same = Corpus.open(corpus).fingerprint == said.corpus_fingerprint
    except UserError:
        return f"The text of this index, {shown(said.corpus)}, cannot be read any more; the contexts are those of then."
    if same:
        return None
    return f"The text of this index, {shown(said.corpus)}, has changed since; the contexts are those of then."


def remove(folder: Path) -> None:
    """Delete an index, or its unfinished work; a reader sees it whole or not at all. Raises UserError if that fails."""
    if not os.path.lexists(folder):
        return
    with explained(folder), partial_folder(folder.parent, folder) as hidden:
        os.rename(folder, hidden / folder.name)
        sync_folder(folder.parent)
        shutil.rmtree(hidden / folder.name)


def remove_all_of(identity: str) -> None:
    """Delete every index that was made of the dictionary of this identity, unfinished ones too."""
    remove(_of(identity))


def size_of(folder: Path) -> int:
    """Bytes of an index on the disk."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _of(identity: str) -> Path:
    assert identity.isalnum(), "a hexadecimal digest"
    return indices_folder() / identity


def _is_of(entry: IndexEntry, identity: str) -> bool:
    return entry.description is not None and entry.description.dictionary == identity


def _folders(root: Path) -> list[Path]:
    """The folders in `root` but hidden ones, which are being written, made or deleted."""
    if not root.is_dir():
        return []
    with explained(root):
        return sorted(path for path in root.iterdir() if not path.name.startswith((".", PARTIAL)) and path.is_dir())


def _file_of(corpus: str) -> Path:
    """The file that a corpus is, if it is one; a column may follow its name."""
    path = Path(os.path.expanduser(corpus))
    return path if path.exists() else Path(os.path.expanduser(corpus.rpartition("#")[0] or corpus))


def _entry(folder: Path, *, bundled: bool) -> IndexEntry:
    from itda_core.analysis.atoms.index_format import DESCRIPTION

    return _read_entry(folder, bundled, stamp(folder / DESCRIPTION))


@lru_cache(maxsize=1024)
def _read_entry(folder: Path, bundled: bool, mark: tuple[int, ...] | None) -> IndexEntry:
    """The entry of a folder, cached by its description's stamp: pages ask at every click."""
    from itda_core.analysis.atoms.index import description_of

    try:
        return IndexEntry(folder, bundled, description_of(folder))
    except UserError as error:
        return IndexEntry(folder, bundled, problem=str(error))
    except OSError as error:  # removed a moment ago
        return IndexEntry(folder, bundled, problem=f"{shown(folder)} cannot be read ({error.strerror}).")
