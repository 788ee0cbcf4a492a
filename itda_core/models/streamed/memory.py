"""Giving freed memory back to the system."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable


@functools.cache
def _trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another allocator than glibc's
        return None


def give_back() -> None:
    """What was freed and the C library keeps for later goes back to the system, where it can be told to.

    Blocks come and go by the hundred in a harvest; glibc would keep more of each between the pieces that stay.
    """
    if (trim := _trim()) is not None:
        trim(0)
