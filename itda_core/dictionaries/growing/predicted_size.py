"""How many atoms a dictionary will have in the end, predicted from its growth so far."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

MOST_POINTS = 96
FEWEST_TOKENS = 2000  # before that the curve says little
_FEWEST_POINTS = 4
_BEGUN = 1 / 8  # of the tokens so far: what comes before it is another regime, in which every second token is new
_BINS = 4
_APART = 1.5  # how many times as much text one dictionary read as another, for the two to tell a power


class GrowthCurve:
    """Atoms over tokens, at no more than MOST_POINTS points, denser at the beginning; the newest is always there."""

    def __init__(self, points: Iterable[tuple[int, int]] = ()) -> None:
        """points: (tokens, atoms) of an earlier session, ascending."""
        self._points = [(int(tokens), int(atoms)) for tokens, atoms in points] or [(0, 0)]

    def points_until(self, tokens: int) -> list[tuple[int, int]]:
        """Its points up to `tokens`."""
        return [point for point in self._points if point[0] <= tokens]

    def restart(self) -> None:
        """The law changes here (another threshold): predictions use only the points from now on."""
        del self._points[:-1]

    def add(self, tokens: int, atoms: int) -> None:
        """One more point: `atoms` after `tokens`; of no use unless more tokens were read than at the last one."""
        if tokens > self._points[-1][0]:
            self._points.append((tokens, atoms))
        if len(self._points) > MOST_POINTS:
            self._thin()

    def predict(self, total: int | None, most: int | None = None) -> int | None:
        """Atoms after `total` tokens, at most `most`.

        None while the total is unknown or there is too little to go by.
        """
        atoms = self._points[-1][1]
        if most is not None and atoms >= most:
            return most
        if total is None:
            return None
        predicted = extrapolate(self._points, total)
        return predicted if predicted is None or most is None else min(most, predicted)

    def _thin(self) -> None:
        """Without the inner point whose neighbours lie closest together, in proportion to where they are."""
        inner = range(1, len(self._points) - 1)
        del self._points[min(inner, key=lambda i: self._points[i + 1][0] / max(self._points[i - 1][0], 1))]


def extrapolate(points: Sequence[tuple[int, int]], total: int) -> int | None:
    """Atoms after `total` tokens, from (tokens, atoms) so far, ascending; the first point is where the law begins.

    The rate of acceptance falls about as a power of the tokens read. It is fitted to the counts of _BINS stretches of
    equal ratio over the last seven eighths, by least squares of its logarithm, each weighted by its count, and summed
    up from here to the end; it never rises. None for fewer than FEWEST_TOKENS tokens or _FEWEST_POINTS points there.
    """
    (first_token, _), (tokens, atoms) = points[0], points[-1]
    if total <= tokens:
        return atoms
    now = tokens - first_token
    if now < FEWEST_TOKENS or sum(point[0] - first_token > _BEGUN * now for point in points) < _FEWEST_POINTS:
        return None
    edges = [now * _BEGUN ** (1 - i / _BINS) for i in range(_BINS + 1)]
    counts = [_atoms_at(points, first_token + edge) for edge in edges]
    counts = [after - before + 0.5 for before, after in pairwise(counts)]  # a half: none seen is not none ever
    x = [(math.log(a) + math.log(b)) / 2 - math.log(now) for a, b in pairwise(edges)]
    y = [math.log(count / (b - a)) for count, (a, b) in zip(counts, pairwise(edges), strict=True)]
    weight = sum(counts)
    mean_x = sum(c * v for c, v in zip(counts, x, strict=True)) / weight
    mean_y = sum(c * v for c, v in zip(counts, y, strict=True)) / weight
    slope = sum(c * (v - mean_x) * (w - mean_y) for c, v, w in zip(counts, x, y, strict=True))
    slope = min(0.0, slope / sum(c * (v - mean_x) ** 2 for c, v in zip(counts, x, strict=True)))
    rate = math.exp(mean_y - slope * mean_x)  # atoms per token, here
    ratio, power = (total - first_token) / now, slope + 1
    more = math.log(ratio) if abs(power) < 1e-9 else (ratio**power - 1) / power
    return round(atoms + min(rate * now * more, total - tokens))


class Grown(NamedTuple):
    """How far a finished dictionary has grown."""

    tokens: int
    atoms: int


def atoms_after(tokens: int, grown: Sequence[Grown]) -> float:
    """Atoms after so many tokens, from how far other dictionaries of that layer had grown, ascending; at least one.

    Where two of them read differently much, by the power of the tokens that leads through the two that are nearest:
    fewer and fewer tokens become atoms. One alone tells it in proportion, which for a longer text is too many.
    """
    below = [one for one in grown if one.tokens <= tokens]
    above = [one for one in grown if one.tokens > tokens]
    first, last = (below[-1], above[0]) if below and above else (grown[0], grown[-1])
    near = first if above else last
    if last.tokens < _APART * first.tokens:  # too near each other to tell by which power
        return near.atoms * tokens / near.tokens
    power = math.log(last.atoms / first.atoms) / math.log(last.tokens / first.tokens)
    return near.atoms * (tokens / near.tokens) ** min(1.0, max(0.0, power))


def _atoms_at(points: Sequence[tuple[int, int]], tokens: float) -> float:
    """Between two points in proportion."""
    i = bisect_left(points, tokens, key=lambda point: point[0])
    if i == 0:
        return points[0][1]
    if i == len(points):
        return points[-1][1]
    (t0, a0), (t1, a1) = points[i - 1], points[i]
    return a0 + (a1 - a0) * (tokens - t0) / (t1 - t0)
