"""Text that is written in a thread of the server while a page looks on; it ends when nobody does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING

from itda_core.errors import UserError

if TYPE_CHECKING:
    from itda_core.analysis.interventions.effect import Piece

    Both = tuple[tuple[Piece, ...], tuple[Piece, ...]]

PATIENCE = 10.0  # seconds without a look until the visitor counts as gone


class Writing:
    """What is written before and after, so far. Whoever looks calls `seen`; `stop` ends it after the token at hand."""

    def __init__(self, steps: Callable[[], Generator[Both, None, None]], *, patience: float = PATIENCE) -> None:
        """steps: gives both texts as they grow, as the thread asks for them; it is closed whatever happens."""
        self.before: tuple[Piece, ...] = ()
        self.after: tuple[Piece, ...] = ()
        self.error: UserError | None = None
        self.stopped = False  # before its end
        self._steps, self._patience = steps, patience
        self._wanted, self._seen = True, time.monotonic()
        self._thread = threading.Thread(target=self._write, name="itda-writing", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def seen(self) -> None:
        """Somebody looks at it."""
        self._seen = time.monotonic()

    def stop(self) -> None:
        """No more is wanted."""
        self._wanted = False

    def join(self, seconds: float | None = None) -> None:
        """Waits until it has ended."""
        self._thread.join(seconds)

    def _write(self) -> None:
        try:
            with closing(self._steps()) as steps:
                for self.before, self.after in steps:
                    if not self._wanted or time.monotonic() - self._seen > self._patience:
                        self.stopped = True
                        return
        except UserError as error:
            self.error = error
