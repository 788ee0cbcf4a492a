"""Reading and writing files: regular ones only, and so that a reader sees all of a thing or nothing of it.

What is written is on the disk, its folder's entry too, before a function here returns: a power cut then loses nothing
that was reported as saved. Statuses that are written anew many times a second are left to the system (`synced=False`):
a power cut ends the work they tell of anyway.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

from itda_core.errors import UserError
from itda_core.foreign import foreign

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PARTIAL = ".partial-"  # what an unfinished file or folder is called, so that readers and a later clean-up know it
MOST_JSON_BYTES = 64 * 2**20  # the tokenizer.json of the largest vocabularies has half of it
MOST_DEPTH = 100  # brackets within brackets; a configuration has about five

_MOST_SHOWN = 400  # characters of a path in a message
_ORPHANED_AFTER = 60.0  # seconds since a partial file or folder was changed, where its owner's lock can be asked
_ORPHANED_UNLOCKED = 86_400.0  # likewise where it cannot
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
_LARGEST_WHOLE = 2**63
_MOST_DIGITS = 40  # of a whole number in a file of others: they say 10^30 where they mean no limit
_ABOUT_FILES = {  # refusals that are about a file, and not, say, about a connection
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.EBUSY),
    *(errno.ENOTEMPTY, errno.EMFILE, errno.ENFILE, errno.EINVAL, errno.EXDEV, errno.EILSEQ, errno.ENXIO, errno.ESTALE),
}


# --- reading ---


def shown(path: object) -> str:
    """A path, or other foreign text, as it stands in a message: printable, and cut in its middle where it is long."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if len(text) <= _MOST_SHOWN:
        return text
    return f"{text[: _MOST_SHOWN // 2]}...{text[-_MOST_SHOWN // 2 :]}"


def regular(path: Path) -> os.stat_result:
    """What the system says of the regular file `path` (links are followed).

    Raises UserError when there is none, when something else is there (a folder, a pipe, a device, a link that leads to
    itself), or when it cannot be looked at.
    """
    with _readable(path):
        return _only_regular(path, os.stat(path))


def stamp(path: Path) -> tuple[int, ...] | None:
    """Changes whenever the file does; None where there is none to be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def open_regular(path: Path) -> BufferedReader:
    """The regular file `path`, open for reading; a pipe or a device in its place is not opened, and never waited for.

    Raises UserError as `regular`.
    """
    regular(path)  # opening a device may already do something
    with _readable(path):
        file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 (the caller closes it)
    try:
        with _readable(path):
            _only_regular(path, os.fstat(file.fileno()))
    except BaseException:
        file.close()
        raise
    return file


def read_bytes(path: Path, most: int) -> bytes:
    """All that the regular file `path` holds. Raises UserError as `regular`, and for more than `most` bytes."""
    with open_regular(path) as file, _readable(path):
        content = file.read(most + 1)
    if len(content) > most:
        raise UserError(f"{shown(path)} has over {_amount(most)}, more than such a file ever has; it is not read.")
    return content


def read_json(path: Path, *, most_bytes: int = MOST_JSON_BYTES, strict: bool = False) -> Any:
    """The JSON in the regular file `path`; see `parse_json` for what is refused.

    Raises UserError when it is missing, is no regular file, has more than `most_bytes` or is not JSON.
    """
    return parse_json(read_bytes(path, most_bytes), path, strict=strict)


def parse_json(
    text: bytes,
    source: object,
    *,
    strict: bool = False,
    wide: bool = False,
    remedy: str = "restore it from a copy or make it anew.",
) -> Any:
    """The JSON in `text` (UTF-8), which messages call `source`.

    Refused by UserError: what is no JSON, whole numbers of thousands of digits, more than MOST_DEPTH brackets within
    brackets, and text that is none (half a character). `strict` is for files that only this program writes: it also
    refuses what no such file holds, NaN and infinity, and whole numbers that do not fit into 64 bits (unless `wide`:
    the caller then holds every one against its own bounds).
    """
    try:
        with enough_memory(source):
            hooks = {**(_STRICT if strict else {}), "parse_int": _whole if strict and not wide else _long}
            value = json.loads(text.decode("utf-8"), **hooks)
        _check_depth(value)
        if _HALF_CHARACTER.search(text):
            _check_text(value)
    except UserError:
        raise
    except RecursionError:
        raise UserError(
            f"{shown(source)} is damaged (not JSON: over {MOST_DEPTH} brackets within brackets); {remedy}"
        ) from None
    except ValueError as error:  # not JSON, not UTF-8, a number of thousands of digits
        raise UserError(f"{shown(source)} is damaged (not JSON: {shown(error)}); {remedy}") from None
    return value


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _long(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a whole number of {len(digits):,} digits")
    return int(digits)


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -_LARGEST_WHOLE <= (number := int(digits)) < _LARGEST_WHOLE:
        raise ValueError(f"a whole number of {len(digits):,} digits")
    return number


def _fraction(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError(f"{digits[:20]} is beyond the largest number")
    return number


_STRICT: dict[str, Any] = {"parse_constant": _refused, "parse_float": _fraction}


def _check_depth(value: Any) -> None:
    """Raises RecursionError where containers lie deeper than MOST_DEPTH within each other."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MOST_DEPTH):
        if not level:
            return
        level = [
            item
            for part in level
            for item in (part.values() if isinstance(part, dict) else part)
            if isinstance(item, (dict, list))
        ]
    raise RecursionError


def _check_text(value: Any) -> None:
    """Raises ValueError where a string, as key or value, cannot be written as UTF-8."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("text with half a character, a lone surrogate") from None
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key)
            _check_text(item)
    elif isinstance(value, list):
        for item in value:
            _check_text(item)


def _open_at_once(path: str, flags: int) -> int:
    """Opening a pipe that nobody writes to would wait for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def _only_regular(path: Path, status: os.stat_result) -> os.stat_result:
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, a device or a socket"
        raise UserError(f"{shown(path)} is {what}, not a file; remove it, or restore the file from a copy.")
    return status


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals to read into one clear sentence."""
    try:
        yield
    except UserError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{shown(path)} does not exist; check the path.") from None
    except OSError as error:
        reason = "a link that leads to itself" if error.errno == errno.ELOOP else error.strerror or type(error).__name__
        raise UserError(f"{shown(path)} cannot be read ({reason}); check the file and its permissions.") from None
    except ValueError:  # a zero byte, or half a character, in the name
        raise UserError(f"{shown(path)} is no name a file can have; check the path.") from None


@contextmanager
def foreign_file(path: object, remedy: str, what: str = "is damaged") -> Iterator[None]:
    """Turns whatever a library raises about a file of others that it parses into one clear sentence.

    It says `what` of the file, the cause, and the `remedy`.
    """

    def refusal(cause: str) -> UserError:
        return UserError(f"{shown(path)} {what} ({cause}); {remedy}")

    with foreign(refusal), enough_memory(path):
        yield


@contextmanager
def enough_memory(path: object) -> Iterator[None]:
    """Turns what is raised where memory is too short for what a file holds into one clear sentence."""
    try:
        yield
    except (MemoryError, OSError, RuntimeError) as error:
        short = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
        if not (short or "allocate memory" in str(error)):  # torch's own words
            raise
        raise UserError(
            f"There is not enough memory to read {shown(path)}; close other programs, or raise the limit."
        ) from None


def _amount(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:.0f} MiB" if n_bytes >= 2**20 else f"{n_bytes:,} bytes"


# --- writing ---


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
