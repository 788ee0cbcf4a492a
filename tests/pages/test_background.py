"""Text written in a thread: it ends when it is stopped, when nobody looks, and at its end; its error is kept."""

from __future__ import annotations

import threading
from collections.abc import Generator

from itda_core.analysis.interventions.effect import Piece
from itda_core.errors import UserError
from pages.ui.effects.background import Writing

Both = tuple[tuple[Piece, ...], tuple[Piece, ...]]


class Steps:
    """A text that grows by a sign as often as it is let."""

    def __init__(self, fails: int = 10**9) -> None:
        self.let, self.closed, self.given = threading.Semaphore(0), threading.Event(), 0
        self._fails = fails

    def __call__(self) -> Generator[Both, None, None]:
        try:
            while self.given < 1000:
                self.let.acquire()
                if self.given >= self._fails:
                    raise UserError("It fails.")
                self.given += 1
                yield (Piece("a", False),) * self.given, (Piece("b", True),) * self.given
        finally:
            self.closed.set()


def test_it_is_stopped_after_the_token_at_hand() -> None:
    steps = Steps()
    writing = Writing(steps, patience=1000)
    steps.let.release()
    writing.stop()
    writing.join(60)
    assert (writing.ended, writing.stopped, steps.given) == (True, True, 1)
    assert steps.closed.is_set(), "the generation itself has ended"
    assert "".join(piece.text for piece in writing.after) == "b"


def test_it_ends_when_nobody_looks() -> None:
    steps = Steps()
    writing = Writing(steps, patience=0.0)
    steps.let.release()
    steps.let.release()
    writing.join(60)
    assert (writing.ended, writing.stopped) == (True, True)
    assert steps.closed.is_set()


def test_it_goes_on_while_somebody_looks_and_says_what_fails() -> None:
    steps = Steps(fails=3)
    writing = Writing(steps, patience=1000)
    for _ in range(4):
        writing.seen()
        steps.let.release()
    writing.join(60)
    assert (writing.ended, writing.stopped, str(writing.error)) == (True, False, "It fails.")
    assert len(writing.before) == 3
