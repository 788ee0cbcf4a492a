"""The one kind of error a user can cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_MESSAGE = 1_000  # characters of a message; a sentence or two and a long path have fewer
_MOST_AT_ITS_END = 300  # of these characters: the remedy is there


class UserError(ValueError):
    """What is wrong, what was given, what to do: a sentence or two, shown as it is on the page and in the terminal.

    What was given may be anything: a message that it makes too long loses its middle here, and half characters (lone
    surrogates, which nothing can print) are written as escapes. `field` is the setting that it is about, by the name of
    its option, so that a form can say it there; "" where it is about none, or about several.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(presentable(message))
        self.field = field


@contextmanager
def about(field: str) -> Iterator[None]:
    """Each UserError that leaves the block is about this field, unless it says of which it is."""
    try:
        yield
    except UserError as error:
        error.field = error.field or field
        raise


def presentable(message: str) -> str:
    """`message` as it can be shown: printable as UTF-8, its middle left out where it is longer than LONGEST_MESSAGE."""
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[: LONGEST_MESSAGE - _MOST_AT_ITS_END]} ... {message[-_MOST_AT_ITS_END:]}"
    return message.encode("utf-8", "backslashreplace").decode()
