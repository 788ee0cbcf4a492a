"""How long it will take to choose atoms, by the work that was done so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import NamedTuple

from itda_core.dictionaries.choosing.learning import DRAWS

_WARMING = 2  # rounds
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
    """Times the work that is done from now on.

    The first two rounds pay for what is made ready once (the pursuit is compiled in the second): until there is a
    third, the faster of them counts, and then neither.
    """

    def __init__(self, of_sites: Callable[[], Iterable[WorkLeft]]) -> None:
        """of_sites: what is still to do of each."""
        self._of_sites, self._began = of_sites, time.monotonic()
        self._marks = [(self._began, sum(self._left()))]  # time, and the work that was left: now, and after each round
        self._rounds_timed = 0

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def _left(self) -> WorkLeft:
        left = list(self._of_sites())
        return WorkLeft(sum(work.rounds for work in left), sum(work.labels for work in left))

    def round_done(self) -> None:
        """One more round was timed."""
        self._rounds_timed += 1
        if len(self._marks) <= _WARMING:
            self._marks.append((time.monotonic(), sum(self._left())))

    def time_left(self) -> TimeLeft:
        """By the time that a unit of work took so far; rough as long as the rounds were few."""
        left = self._left()
        marks = self._marks
        if self._rounds_timed > _WARMING:
            marks = [self._marks[_WARMING], (time.monotonic(), sum(left))]
        each = [(after - at) / (work - rest) for (at, work), (after, rest) in pairwise(marks) if work > rest]
        if not each:
            return TimeLeft(None, 0.0, True)
        return TimeLeft(min(each) * left.rounds, min(each) * left.labels, self._rounds_timed < _ROUNDS_SEEN)
