"""Giving freed memory back to the system."""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable

_SECONDS_BETWEEN = 0.5  # it takes milliseconds, and what is given back has to be asked for again


@functools.cache
def _trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another allocator than glibc's
        return None


class Returns:
    """Gives what was freed, and the C library keeps for later, back to the system where that can be asked for.

    Blocks come and go by the hundred in a harvest; glibc would keep more of each between the pieces that stay.
    """

    def __init__(self) -> None:
        self._last = 0.0

    def now_and_then(self) -> None:
        """At most twice a second, however often it is called."""
        if (trim := _trim()) is not None and time.monotonic() - self._last >= _SECONDS_BETWEEN:
            trim(0)
            self._last = time.monotonic()
