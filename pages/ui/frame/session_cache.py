"""What was read or worked out for one session, kept for all as long as it fits."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by key, of together at most so many bytes: for a new one, those least lately asked for leave.

    However many ask for one at once, it is made once. What cannot be made is not remembered.
    """

    def __init__(self, most_bytes: int, size: Callable[[V], int]) -> None:
        """size: bytes of a value; one that is larger than all that may be kept is kept alone."""
        self._most, self._size = most_bytes, size
        self._lock = threading.Lock()  # of what follows; never held while something is made
        self._values: OrderedDict[K, V] = OrderedDict()
        self._making: dict[K, threading.Lock] = {}

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of `key`, made if it is not kept. Raises what `make` raises."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:  # by the one before us
                    return self._values[key]
            try:
                value = make()
                self._keep(key, value)
            finally:
                with self._lock:
                    self._making.pop(key, None)
            return value

    def _keep(self, key: K, value: V) -> None:
        with self._lock:
            self._values[key] = value
            bytes_held = sum(map(self._size, self._values.values()))
            while bytes_held > self._most and len(self._values) > 1:
                _, gone = self._values.popitem(last=False)
                bytes_held -= self._size(gone)
