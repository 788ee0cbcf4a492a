"""Runs damaged inputs and says which of them ended in anything but a result or one clear sentence."""

from __future__ import annotations

import importlib
import pkgutil
import random
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from itda_core.errors import UserError

SECONDS = 60  # a case that takes longer hangs
_LONGEST_MESSAGE = 1200  # characters: a sentence or two that name what was given


@dataclass(frozen=True)
class Kind:
    """One kind of damaged input.

    `prepare(folder)` makes what is damaged, once: its result goes to `attempt(prepared, folder, rng)`, which damages a
    copy of it in the empty `folder`, by draws of `rng` alone, and uses it as a user would. It returns when the product
    gave a result (whose rightness it may assert) and lets UserError through.
    """

    name: str
    prepare: Callable[[Path], Any]
    attempt: Callable[[Any, Path, random.Random], None]
    each: int = 50  # cases within the suite: fewer where one takes long


class Hung(Exception):
    """A case took longer than SECONDS."""


def kinds() -> dict[str, Kind]:
    """All kinds, by name."""
    from tests.fuzz import kinds as package

    modules = (
        importlib.import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)
    )
    return {kind.name: kind for module in modules for kind in module.KINDS}


def fault(kind: Kind, prepared: Any, seed: int) -> str | None:
    """What is wrong with how the product answers case `seed`; None when it is right."""
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{kind.name}-"))
    try:
        with _limited():
            kind.attempt(prepared, folder, random.Random(f"{kind.name} {seed}"))
    except UserError as error:
        return unclear(str(error))
    except Hung:
        return f"hangs: more than {SECONDS} s"
    except BaseException as error:  # PanicException is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        return "".join(traceback.format_exception(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return None


def unclear(message: str) -> str | None:
    """Why `message` is no sentence for a person; None when it is one."""
    if len(message) > _LONGEST_MESSAGE:
        return f"a message of {len(message):,} characters: {message[:200]}"
    if not message.rstrip().endswith((".", "?")) or "Traceback" in message:
        return f"no sentence: {message}"
    try:
        message.encode("utf-8")
    except UnicodeEncodeError:
        return f"a message that cannot be printed: {message!r}"
    return None


@contextmanager
def _limited() -> Iterator[None]:
    def hung(*_: object) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
