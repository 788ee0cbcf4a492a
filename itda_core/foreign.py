"""The border to foreign code and files: whatever they raise becomes one sentence, and their text becomes valid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from itda_core.errors import UserError

_MOST_QUOTED = 200  # characters of foreign text in a message


@contextmanager
def foreign(refusal: Callable[[str], UserError], *, letting: tuple[type[BaseException], ...] = ()) -> Iterator[None]:
    """Inside the block others' code runs. What it raises becomes `refusal(cause)`, the cause in a few printable words.

    This includes what is no Exception (pyo3's PanicException), but not UserError, what ends the program or a generator,
    and `letting`. Running out of memory is reported as such.
    """
    try:
        yield
    except (UserError, KeyboardInterrupt, SystemExit, GeneratorExit, *letting):
        raise
    except MemoryError as error:
        raise refusal("the memory does not suffice for it") from error
    except BaseException as error:
        raise refusal(cause(error)) from error


def cause(error: BaseException) -> str:
    """What an exception says, for the inside of a sentence: its kind and its words, at most some 200 characters."""
    kind = type(error).__name__
    message = quoted(str(error)).rstrip(".")
    if not message:
        return kind
    return message if isinstance(error, (ValueError, OSError, ImportError, RuntimeError)) else f"{kind}: {message}"


def quoted(text: object) -> str:
    """Foreign text for a message: on one line, printable, cut."""
    words = " ".join(str(text)[: 10 * _MOST_QUOTED].split())
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)
    return plain if len(plain) <= _MOST_QUOTED else f"{plain[:_MOST_QUOTED]}…"


def valid(text: str) -> str:
    """`text` with U+FFFD in the place of halves of surrogate pairs, which no tokenizer takes and no file can hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
