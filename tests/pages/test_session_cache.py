"""What is kept for all sessions: made once however many ask, and let go by size."""

from __future__ import annotations

import threading
import time

import pytest

from itda_core.errors import UserError
from pages.ui.frame import session_cache
from pages.ui.frame.session_cache import Kept, cached, patiently


def test_many_who_ask_at_once_have_it_made_once() -> None:
    made: list[int] = []
    kept: Kept[str, bytes] = Kept(100, len)

    def make() -> bytes:
        made.append(1)
        time.sleep(0.05)
        return b"x"

    threads = [threading.Thread(target=kept.get, args=("a", make)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_one_that_is_made_slowly_holds_up_nobody_else() -> None:
    kept: Kept[str, bytes] = Kept(100, len)
    began, go_on = threading.Event(), threading.Event()

    def slowly() -> bytes:
        began.set()
        assert go_on.wait(60)
        return b"a"

    thread = threading.Thread(target=kept.get, args=("a", slowly))
    thread.start()
    assert began.wait(60)
    assert kept.get("b", lambda: b"b") == b"b"  # while the other is being made
    go_on.set()
    thread.join()
    assert kept.get("a", lambda: b"other") == b"a"


def test_the_least_lately_asked_for_leaves_and_a_small_one_stays() -> None:
    kept: Kept[str, bytes] = Kept(100, len)
    for key, size in (("small", 1), ("a", 60), ("b", 60)):
        kept.get("small", lambda: b"s")
        kept.get(key, lambda size=size: bytes(size))
    made: list[str] = []

    def again(key: str) -> bytes:
        made.append(key)
        return b"new"

    for key in ("small", "b", "a"):
        kept.get(key, lambda key=key: again(key))
    assert made == ["a"]
    assert kept.get("large", lambda: bytes(1000)) == bytes(1000)  # alone
    assert kept.get("large", lambda: b"") == bytes(1000)


def test_what_could_not_be_made_is_not_remembered() -> None:
    kept: Kept[str, bytes] = Kept(100, len)

    def fail() -> bytes:
        raise UserError("It is damaged; choose another.")

    with pytest.raises(UserError):
        kept.get("a", fail)
    assert kept.get("a", lambda: b"mended") == b"mended"


class _BrokenOff(BaseException):
    """As what Streamlit raises in a run whose visitor went on."""


class _Session:
    """Of a run that is broken off at the first call that Streamlit has of it."""

    def get(self, _: str) -> None:
        raise _BrokenOff


def test_a_run_that_waits_is_broken_off_and_the_work_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    go_on = threading.Event()

    @cached(max_entries=2)
    def slowly(number: int) -> int:
        made.append(number)
        assert go_on.wait(60)
        return number + 1

    monkeypatch.setattr(session_cache, "_beside_a_run", lambda: False)
    with monkeypatch.context() as patched:
        patched.setattr(session_cache.st, "session_state", _Session())
        with pytest.raises(_BrokenOff):
            slowly(1)
    go_on.set()
    assert slowly(1) == 2
    assert made == [1]


def test_what_is_raised_beside_the_run_is_raised_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_cache, "_beside_a_run", lambda: False)
    threads: list[threading.Thread] = []

    @cached()
    def refuses(error: Exception) -> int:
        threads.append(threading.current_thread())
        raise error

    for error in (UserError("No such thing; choose another."), TimeoutError("of the network")):
        with pytest.raises(type(error)) as raised:
            refuses(error)
        assert raised.value is error
    assert threading.current_thread() not in threads
    assert len(threads) == 2  # errors are not kept


def test_beside_a_run_it_is_simply_called() -> None:
    assert patiently(threading.current_thread) is threading.current_thread()
