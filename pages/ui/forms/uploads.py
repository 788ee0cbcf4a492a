"""Corpora handed in through the browser, kept so that a dictionary's labels can be verified later."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path, PurePath
from typing import BinaryIO

from itda_core.files import PARTIAL, explained
from itda_core.runs.home import home
from itda_core.text.corpus_kinds import ENDINGS

KINDS = tuple(ending.removeprefix(".") for ending in ENDINGS)
_CHUNK = 2**20
_NAMING = threading.Lock()  # visitors are threads of one process


def uploads_folder() -> Path:
    """The folder of corpora that were handed in through the browser."""
    return home() / "uploads"


def uploads() -> list[Path]:
    """Earlier uploads, newest first."""
    folder = uploads_folder()
    if not folder.is_dir():
        return []
    found: list[tuple[float, Path]] = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # somebody may be clearing up
            if path.is_file() and not path.name.startswith("."):
                found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found, reverse=True)]


def safe_name(name: str) -> str:
    """The last part of `name` with letters, digits and ._- only, short, not hidden."""
    stem, dot, suffix = PurePath(name.replace("\\", "/")).name.rpartition(".")
    if not dot:
        stem, suffix = suffix, "txt"
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:80] or "corpus"
    suffix = re.sub(r"[^A-Za-z0-9]+", "", suffix).lower()
    return f"{stem}.{suffix if suffix in KINDS else 'txt'}"


def keep(name: str, content: BinaryIO) -> Path:
    """Save `content` in one step; the same bytes of the same name are kept once. Raises UserError on a full disk.

    Several visitors may do so at once, under one name too: each writes a file of its own, which then takes the first
    name that is free or has the same bytes already; what is there is never replaced.
    """
    folder = uploads_folder()
    wanted = folder / safe_name(name)
    with explained(wanted):
        folder.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(prefix=PARTIAL, dir=folder)
        try:
            content.seek(0)
            with os.fdopen(handle, "wb") as file:
                while chunk := content.read(_CHUNK):
                    file.write(chunk)
            return next(target for target in _names(wanted) if _settled(Path(partial), target))
        finally:
            Path(partial).unlink(missing_ok=True)


def _names(wanted: Path) -> Iterator[Path]:
    yield wanted
    yield from (wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}") for number in count(2))


def _settled(partial: Path, target: Path) -> bool:
    """Whether `target` now holds what `partial` does."""
    with _NAMING:
        if os.path.lexists(target):
            return target.is_file() and _same(partial, target)
        try:
            os.link(partial, target)  # fails, where another process has just taken the name
        except FileExistsError:
            return target.is_file() and _same(partial, target)
        except OSError:  # a file system without links
            os.replace(partial, target)
        return True


def _same(one: Path, other: Path) -> bool:
    import filecmp

    return filecmp.cmp(one, other, shallow=False)
