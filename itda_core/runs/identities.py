"""Which dictionary a name means: names are given again, an identity never is.

An identity is a hexadecimal sha256 (dictionaries.storage.digested_files.identity_of); addresses hold its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

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
    if not is_beginning(identity):  # a file or an address may say anything; what is empty would be any dictionary's
        return None
    found = [entry for entry in entries if entry.identity is not None and entry.identity.startswith(identity)]
    return next((entry for entry in found if entry.name == name), found[0] if found else None)


class Whereabouts(NamedTuple):
    """What became of a dictionary that was called `name`."""

    name: str
    identity: str | None  # or its beginning; None where only the name is known
    entry: LibraryEntry | None  # what it is now; None where it is not there any more
    taken: bool  # whether another dictionary has its name now

    @property
    def change(self) -> str:
        """What has changed since, as a sentence; "" where nothing has."""
        if self.entry is None:
            more = ", and another dictionary has its name now" if self.taken else ""
            return f"{self.name} was deleted or moved out of the library{more}."
        return "" if self.entry.name == self.name else f"{self.name} is called {self.entry.name} now."


def whereabouts(entries: Sequence[LibraryEntry], name: str, identity: str) -> Whereabouts:
    """What became of the dictionary of this identity, which was called `name`, among `entries`."""
    found = identified(entries, name, identity)
    taken = any(entry.name == name and entry != found for entry in entries)
    return Whereabouts(name, identity, found, taken)


def change_of(path: Path, identity: str) -> str:
    """What became of the dictionary of this identity that was in the folder `path`, as a sentence; "" for nothing."""
    now = identity_at(path)
    if now == identity:
        return ""
    found = identified(Library(path.parent).entries(), path.name, identity)
    return Whereabouts(path.name, identity, found, taken=now is not None).change


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
