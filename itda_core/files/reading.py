"""Reading files that anybody may have put there: regular ones only, and no more of them than there may be."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from itda_core.errors import UserError
from itda_core.foreign import foreign

MOST_JSON_BYTES = 64 * 2**20  # the tokenizer.json of the largest vocabularies has half of it
MOST_DEPTH = 100  # brackets within brackets; a configuration has about five

_MOST_SHOWN = 400  # characters of a path in a message
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
_LARGEST_WHOLE = 2**63
_MOST_DIGITS = 40  # of a whole number in a file of others: they say 10^30 where they mean no limit


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
