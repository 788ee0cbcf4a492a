"""What was read or worked out for one session, kept for all as long as it fits; the page waits for it patiently.

A session's runs follow each other in one thread (`runner.fastReruns` is off in .streamlit/config.toml): with it on,
Streamlit begins the next run while the one before still computes, in another thread on the same session, and what was
chosen in one of them can be lost. So no run may compute for long by itself: it has a thread of its own do that, and is
broken off while it waits, when its visitor goes on.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from contextlib import nullcontext
from typing import Generic, ParamSpec, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
P = ParamSpec("P")
_LOOK = 0.05  # seconds between two looks whether the visitor went on
_NOTHING = "session_cache.nothing"


def cached(
    *, max_entries: int | None = None, ttl: float | None = None, spinner: str | None = None
) -> Callable[[Callable[P, V]], Callable[P, V]]:
    """As st.cache_resource, but that the run which waits can be broken off: what it waits for is kept all the same.

    spinner: what the page says meanwhile. The function draws nothing, and does not ask for the session.
    """

    def decorate(function: Callable[P, V]) -> Callable[P, V]:
        kept = st.cache_resource(max_entries=max_entries, ttl=ttl, show_spinner=False)(function)

        @functools.wraps(function)
        def get(*args: P.args, **kwargs: P.kwargs) -> V:
            with nullcontext() if spinner is None or _beside_a_run() else st.spinner(spinner):
                return patiently(kept, *args, **kwargs)

        return get

    return decorate


def patiently(function: Callable[P, V], *args: P.args, **kwargs: P.kwargs) -> V:
    """What `function` returns or raises, from a thread of its own, so that the run that asks for it can be broken off.

    What nobody waits for any more goes on to its end, and is kept if `function` keeps it. Beside a run, in a thread of
    the studio's own, it is simply called.
    """
    if _beside_a_run():
        return function(*args, **kwargs)
    found: Future[V] = Future()

    def work() -> None:
        try:
            found.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  # whatever it is, whoever waits for it raises it
            found.set_exception(error)

    threading.Thread(target=work, name="itda-work", daemon=True).start()
    while not wait((found,), _LOOK).done:
        st.session_state.get(_NOTHING)  # Streamlit breaks a run off in any call of its own, as in this
    return found.result()


def _beside_a_run() -> bool:
    return get_script_run_ctx(suppress_warning=True) is None


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
