"""How long it will take to choose atoms, by the work that was done so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from itda_core.dictionaries.choosing.learning import DRAWS

_ROUNDS_SEEN = DRAWS + 2  # after so many the kind of round is known of which most are left


class WorkLeft(NamedTuple):
    """What is still to do, in the unit of learning.round_work."""

    rounds: float = 0.0  # of choosing atoms
    labels: float = 0.0  # of those atoms


class TimeLeft(NamedTuple):
    """Seconds that work of a kind will take; None where none of it was done yet."""

    rounds: float | None
    labels: float
    rough: bool


class Pace:
    """Times the work that is done from now on."""

    def __init__(self, of_sites: Callable[[], Iterable[WorkLeft]]) -> None:
        """of_sites: what is still to do of each."""
        self._of_sites, self._began = of_sites, time.monotonic()
        self._timed_from, self._before = self._began, sum(self._left())
        self._first: tuple[float, float] | None = None  # when the first round was done, and what was left then
        self._rounds_timed = 0

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def _left(self) -> WorkLeft:
        left = list(self._of_sites())
        return WorkLeft(sum(work.rounds for work in left), sum(work.labels for work in left))

    def round_done(self) -> None:
        """One more round was timed. The first counts until there is another: it pays for what is made ready once."""
        self._rounds_timed += 1
        if self._first is None:
            self._first = time.monotonic(), sum(self._left())
        else:
            self._timed_from, self._before = self._first

    def time_left(self) -> TimeLeft:
        """By the time that a unit of work took so far; rough as long as the rounds were few."""
        left = self._left()
        done = self._before - sum(left)
        if done <= 0:
            return TimeLeft(None, 0.0, True)
        each = (time.monotonic() - self._timed_from) / done
        return TimeLeft(each * left.rounds, each * left.labels, self._rounds_timed < _ROUNDS_SEEN)
