"""Corpora handed in through the browser, kept so that a dictionary's labels can be verified later."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath
from typing import BinaryIO

from itda_core.files import PARTIAL, explained
from itda_core.runs.home import home

KINDS = ("txt", "jsonl", "csv", "parquet")
_CHUNK = 2**20


def uploads_folder() -> Path:
    return home() / "uploads"


def uploads() -> list[Path]:
    """Earlier uploads, newest first."""
    folder = uploads_folder()
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def safe_name(name: str) -> str:
    """The last part of `name` with letters, digits and ._- only, short, not hidden."""
    stem, dot, suffix = PurePath(name.replace("\\", "/")).name.rpartition(".")
    if not dot:
        stem, suffix = suffix, "txt"
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:80] or "corpus"
    suffix = re.sub(r"[^A-Za-z0-9]+", "", suffix).lower()
    return f"{stem}.{suffix if suffix in KINDS else 'txt'}"


def keep(name: str, content: BinaryIO) -> Path:
    """Save `content` in one rename; the same bytes of the same name are kept once. Raises UserError on a full disk."""
    folder = uploads_folder()
    target = folder / safe_name(name)
    partial = folder / f"{PARTIAL}{target.name}"
    with explained(target):
        folder.mkdir(parents=True, exist_ok=True)
        content.seek(0)
        with partial.open("wb") as file:
            while chunk := content.read(_CHUNK):
                file.write(chunk)
        number = 2
        while target.exists() and not _same(partial, target):
            target = folder / f"{Path(safe_name(name)).stem}-{number}{target.suffix}"
            number += 1
        os.replace(partial, target)
    return target


def _same(one: Path, other: Path) -> bool:
    import filecmp

    return filecmp.cmp(one, other, shallow=False)
