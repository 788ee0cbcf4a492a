from __future__ import annotations

import signal

import pytest

from itda_core.runs.jobs.stopping import Interrupted, StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_there_is_anything_to_keep_a_signal_ends_at_once(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), StopRequest():
        signal.raise_signal(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_during_work_the_first_is_a_wish_and_the_second_ends_it(number: signal.Signals) -> None:
    with StopRequest() as stop:
        stop.defer()
        assert not stop.requested
        signal.raise_signal(number)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopRequest():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_nothing_is_offered_to_go_on_from_where_nothing_was_done() -> None:
    nothing = Interrupted(0, None)
    assert nothing.sentence("itda train --resume") == str(nothing)
    assert str(nothing) == "Stopped before anything was done; there is nothing to go on from."
    assert nothing.sentence("go on", resuming=True).endswith("what was kept before still is. To go on: go on")
    for some in (Interrupted(60, 100), Interrupted(0, 100, "before block 3 was passed")):
        assert some.sentence("itda train --resume") == f"{some} To go on from there: itda train --resume"
        assert "what was done is kept" in str(some)
