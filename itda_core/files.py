"""Writing files so that a reader sees all of a thing or nothing of it."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from itda_core.errors import UserError

PARTIAL = ".partial-"  # what an unfinished file or folder is called, so that readers and a later clean-up know it


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in one rename."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one rename. Raises UserError when it cannot be written or the disk is full."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=PARTIAL, dir=path.parent)
    try:
        with explained(path), os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as JSON in one rename; NaN and infinity, which are not JSON, are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """`value` with None in the place of every number that JSON cannot hold (NaN, infinity), however deep."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def read_json(path: Path) -> Any:
    """The JSON in `path`. Raises UserError when it is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged (not JSON: {error}); restore it from a copy or make it anew.") from None


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that becomes `path` in one rename when the block ends, and vanishes when it fails.

    Raises UserError when `path` is taken or the disk is full.
    """
    if path.exists():
        raise UserError(f"{path} exists already; choose another name or remove it first.")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=path.parent))
    try:
        with explained(path):
            yield partial
            partial.chmod(0o755)
            os.rename(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals to write into one clear sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"The disk is full: {path} was not written; free some space or choose another folder."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(
                f"{path} cannot be written (no permission); choose another folder, for example with ITDA_HOME."
            ) from error
        raise
