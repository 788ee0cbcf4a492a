"""Which dictionary a name means: names are given again, an identity never is.

An identity is a hexadecimal sha256 (dictionaries.storage.digested_files.identity_of); addresses hold its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from itda_core.errors import UserError
from itda_core.runs.library import Library, LibraryEntry

_DIGITS = 8  # of an identity in an address: two of 1,000 dictionaries begin alike once in 8,600 libraries
_BEGINNING = re.compile(rf"[0-9a-f]{{{_DIGITS},64}}")


def beginning(identity: str | None) -> str | None:
    """As much of an identity as an address holds; None for what has none."""
    return None if identity is None else identity[:_DIGITS]


def is_beginning(text: str) -> bool:
    """Whether `text` can be an identity, or the beginning of one, that an address holds."""
    return _BEGINNING.fullmatch(text) is not None


def identified(entries: Iterable[LibraryEntry], name: str, identity: str) -> LibraryEntry | None:
    """The dictionary of this identity, or whose identity begins so; of copies the one that is called `name`, or else
    the first. None where there is none, whatever is called `name`.
    """
    found = [entry for entry in entries if entry.identity is not None and entry.identity.startswith(identity)]
    return next((entry for entry in found if entry.name == name), found[0] if found else None)


def folder_now(path: Path, identity: str) -> Path | None:
    """The folder of the dictionary of this identity that was in the folder `path`: there, or beside it under another
    name. None where it is not there any more.
    """
    if identity_at(path) == identity:
        return path
    found = identified(Library(path.parent).entries(), path.name, identity)
    return None if found is None else found.path


def identity_at(path: Path) -> str | None:
    """That of the dictionary in the folder `path`; None where there is none, or one that cannot be read."""
    from itda_core.dictionaries.storage.dictionary_folder import read_summary

    try:
        return read_summary(path).identity
    except (UserError, OSError):
        return None
