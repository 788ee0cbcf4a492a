"""Writing files so that a reader sees all of a thing or nothing of it.

What is written is on the disk, its folder's entry too, before a function here returns: a power cut then loses nothing
that was reported as saved. Statuses that are written anew many times a second are left to the system (`synced=False`):
a power cut ends the work they tell of anyway.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from itda_core.errors import UserError
from itda_core.files.reading import shown

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PARTIAL = ".partial-"  # what an unfinished file or folder is called, so that readers and a later clean-up know it

_ORPHANED_AFTER = 60.0  # seconds since a partial file or folder was changed, where its owner's lock can be asked
_ORPHANED_UNLOCKED = 86_400.0  # the same where it cannot be asked
_ABOUT_FILES = {  # refusals that are about a file, and not, say, about a connection
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.EBUSY),
    *(errno.ENOTEMPTY, errno.EMFILE, errno.ENFILE, errno.EINVAL, errno.EXDEV, errno.EILSEQ, errno.ENXIO, errno.ESTALE),
}


def write_text(path: Path, text: str, *, synced: bool = True) -> None:
    """Replace `path` by `text` in one rename."""
    write_bytes(path, text.encode("utf-8"), synced=synced)


def write_bytes(path: Path, content: bytes, *, synced: bool = True) -> None:
    """Replace `path` by `content` in one rename. Raises UserError when it cannot be written or the disk is full.

    synced: it is on the disk before this returns (some milliseconds).
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=PARTIAL, dir=path.parent)
    try:
        with explained(path):
            with os.fdopen(handle, "wb") as file:
                _claim(file.fileno())
                file.write(content)
                file.flush()
                if synced:
                    os.fsync(file.fileno())
            os.replace(name, path)
            if synced:
                sync_folder(path.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any, *, synced: bool = True) -> None:
    """Replace `path` by `value` as JSON in one rename; NaN and infinity, which are not JSON, are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", synced=synced)


def finite(value: Any) -> Any:
    """`value` with None in the place of every number that JSON cannot hold (NaN, infinity), however deep."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


@contextmanager
def new_folder(path: Path, *, synced: bool = True) -> Iterator[Path]:
    """A folder to fill that becomes `path` in one rename when the block ends, and vanishes when it fails.

    synced: all that lies in it is on the disk before the rename, and the rename before this returns; else `sync_tree`
    is still to be called before anything refers to it. Raises UserError when `path` is taken, cannot be written, or the
    disk is full.
    """
    if os.path.lexists(path):
        raise UserError(f"{shown(path)} exists already; choose another name or remove it first.")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with partial_folder(path.parent, path) as partial, explained(path):
        yield partial
        partial.chmod(0o755)
        if synced:
            sync_tree(partial)
        os.rename(partial, path)
        if synced:
            sync_folder(path.parent)


@contextmanager
def partial_folder(parent: Path, meant: Path | None = None) -> Iterator[Path]:
    """A hidden folder in `parent` for the block's duration; what of it is still there at the end is removed.

    It is held meanwhile, so that `sweep` leaves it alone. Raises UserError, naming `meant`, when it cannot be made.
    """
    with explained(meant or parent):
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=parent))
    held = None
    try:
        if fcntl is not None:
            held = os.open(partial, os.O_RDONLY)
            _claim(held)
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if held is not None:
            os.close(held)


def sweep(folder: Path) -> None:
    """Remove from `folder` what processes that were killed left half-written; what is being written stays."""
    with suppress(OSError):  # somebody else may sweep at the same time, or own what lies there
        for path in folder.glob(f"{PARTIAL}*"):
            with suppress(OSError):
                _sweep(path)


def _sweep(path: Path) -> None:
    status = path.lstat()
    age = time.time() - status.st_mtime
    if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)) or age < _ORPHANED_AFTER:
        return
    if fcntl is None:
        held = None
        if age < _ORPHANED_UNLOCKED:
            return
    else:
        held = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        if held is not None and not _claim(held):
            return
        if stat.S_ISDIR(status.st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    finally:
        if held is not None:
            os.close(held)


def _claim(descriptor: int) -> bool:
    """Hold a partial file or folder until it is closed or this process ends; whether nobody else does."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or a file system without locks
        return False
    return True


def sync_tree(path: Path) -> None:
    """All files below the folder `path`, and what it lists, are on the disk when this returns."""
    for folder, _, files in os.walk(path):
        for name in files:
            sync_file(Path(folder, name))
        sync_folder(Path(folder))


def sync_file(path: Path) -> None:
    """What `path` holds is on the disk when this returns."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """What `path` lists (what was renamed into it, or removed) is on the disk when this returns."""
    if os.name == "nt":  # cannot be opened there, and need not be
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that do this by themselves say so
            raise
    finally:
        os.close(descriptor)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals to write into one clear sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"The disk is full: {shown(path)} was not written; free some space or choose another folder."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(
                f"{shown(path)} cannot be written (no permission); choose another folder, for example with ITDA_HOME."
            ) from error
        if error.errno == errno.EFBIG:
            raise UserError(
                f"{shown(path)} would be larger than files may be here; raise the limit (ulimit -f) or choose another "
                "folder."
            ) from error
        if error.errno not in _ABOUT_FILES:
            raise
        named = path if error.filename is None or PARTIAL in str(error.filename) else error.filename
        raise UserError(
            f"{shown(named)} cannot be read or written ({error.strerror}); check it, or choose another name or folder."
        ) from error
