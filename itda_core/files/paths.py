"""Paths as people write them: `~` means a home folder, which may not exist."""

from __future__ import annotations

import os
from pathlib import Path

from itda_core.errors import UserError
from itda_core.files import shown

_MOST_NAME_BYTES = 255  # file systems know no longer name
_MOST_PATH_BYTES = 4_000  # nor systems a longer path, with a name to come


def expanded(name: str | Path) -> Path:
    """`name` with `~` or `~user` as the home folder it stands for, which need not exist.

    Raises UserError where there is no such home; unexpanded, it would be a folder called `~` in the working directory.
    """
    text = str(name)
    path = os.path.expanduser(text)
    if text.startswith("~") and path.startswith("~") and not os.path.lexists(text):
        user = text.partition("/")[0][1:]
        whose = f"There is no user {shown(user)!r}" if user else "There is no home folder (HOME is not set)"
        raise UserError(f"{whose}, which {shown(text)} begins with; give the whole path.")
    return Path(path)


def storable(path: str | Path) -> str:
    """`path` as text that JSON can hold and that a file or folder can be called.

    Raises UserError where its name is not UTF-8, or too long to be looked for.
    """
    text = str(path)
    try:
        whole = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise UserError(f"{shown(text)} has a name that is not UTF-8; rename it, or choose another.") from None
    if whole > _MOST_PATH_BYTES or max(len(part.encode()) for part in text.split(os.sep)) > _MOST_NAME_BYTES:
        raise UserError(f"{shown(text)} is too long to be a file or a folder; choose another.")
    return text


def existing_folder(name: str | Path, flag: str) -> Path:
    """`name` as the path of a folder. Raises UserError, naming what the user gave it as, where there is none."""
    path = expanded(name)
    if not os.path.isdir(path):
        raise UserError(f"{flag}: the folder {shown(name)} does not exist; make it first, or choose another.")
    return path


def new_file(name: str | Path, flag: str) -> Path:
    """`name` as the path of a file that is to be written; asked before minutes of work, not after them.

    flag: what the user gave it as. Raises UserError where no file can be: in a folder that is not there or may not be
    written, in the place of a folder or a device, under a name that no file can have.
    """
    path = expanded(name)
    try:
        if os.path.lexists(path) and not path.is_file():
            raise UserError(f"{flag} {shown(name)} is no file; name a file, for example {flag} figures.csv.")
        if len(os.fsencode(path.name)) > _MOST_NAME_BYTES:
            raise UserError(f"{flag}: a name of {len(path.name)} characters is too long; choose a shorter one.")
        if not path.parent.is_dir():
            raise UserError(
                f"{flag}: the folder {shown(path.parent)} does not exist; make it first, or choose another file."
            )
    except OSError as error:
        raise UserError(f"{flag} {shown(name)} cannot be written ({error.strerror}); choose another file.") from None
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"{flag}: nothing can be written into {shown(path.parent)}; choose another folder.")
    return path
