"""The three standard streams, whatever a shell made of them: closed, on a full disk, a pipe that nobody reads.

As with Unix tools: what cannot be written to standard output is an error; what cannot be written to standard error is
lost; a reader of a pipe who has seen enough is none.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from itda_core.errors import UserError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Output(io.FileIO):
    """Standard output. Its first refusal is a user's error, BrokenPipeError apart; what follows goes nowhere, so that
    the interpreter's own last flush finds no fault.
    """

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), self.fileno())
            if isinstance(error, BrokenPipeError):
                raise
            raise UserError(
                f"Standard output cannot be written ({error.strerror}); send it to a file with room, or to a program "
                "that reads it."
            ) from None


class _Remarks(io.FileIO):
    """Standard error: text that cannot be written there is dropped."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare() -> None:
    """Make the process's own standard streams behave so; those that somebody else put in their place stay, and so does
    a Windows console, which is never full and shows only through its own stream what its code page lacks.

    A number that is closed is taken at once: the next file that is opened would get it, and what is printed would be
    written into that file.
    """
    _take_closed()
    if sys.stdout is None or (sys.stdout is sys.__stdout__ and _is_file(1)):
        sys.stdout = _text(_Output(1, "wb", closefd=False), sys.stdout)
        sys.__stdout__ = sys.stdout
    if sys.stderr is None or (sys.stderr is sys.__stderr__ and _is_file(2)):
        sys.stderr = _text(_Remarks(2, "wb", closefd=False), sys.stderr)
        sys.__stderr__ = sys.stderr
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a character that the terminal lacks must not end the program
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (as long as the process)


def finish() -> None:
    """Write what is left of standard output. Raises UserError, or BrokenPipeError, when that cannot be."""
    sys.stdout.flush()


def _take_closed() -> None:
    """Numbers 0 to 2 that are closed: reading 0 finds nothing, writing 1 is refused as before, writing 2 is lost."""
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)


def _is_file(number: int) -> bool:
    """Whether the stream writes bytes to `number`: it is not one that a test put there, nor a Windows console's."""
    stream = sys.stdout if number == 1 else sys.stderr
    try:
        return stream.fileno() == number and not (os.name == "nt" and stream.isatty())
    except (OSError, ValueError):
        return False


def _text(raw: io.FileIO, earlier: TextIO | None) -> io.TextIOWrapper:
    """`raw` for text, encoded as by the stream it replaces; lines go out one by one where somebody looks on."""
    encoding = "utf-8" if earlier is None else earlier.encoding
    look_on = raw.fileno() == 2 or raw.isatty() or bool(os.environ.get("PYTHONUNBUFFERED"))
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, line_buffering=look_on)
