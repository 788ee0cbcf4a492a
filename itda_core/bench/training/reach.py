"""Which threshold makes a rule end with a wanted number of atoms."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from itda_core.errors import UserError

# Of the tokens: a dictionary that fills up after these has used the stream. A higher share is not reliable, because
# the number of atoms does not fall strictly with the threshold.
ENOUGH = 0.9
MOST_TRIALS = 14


class Trial(NamedTuple):
    """How far a rule came at one threshold when it was limited to the wanted number of atoms."""

    atoms: int
    tokens: int  # read until it was full, or all


class Reached(NamedTuple):
    """A threshold, and how many trials it took to find it."""

    threshold: float
    trials: int


def reaching(grow: Callable[[float], Trial], atoms: int, tokens: int) -> Reached:
    """The largest threshold at which `grow` comes to `atoms` within `tokens`, so that it is full close to their end.

    Thresholds are relative squared errors, halved between 0 and 1 until a trial is full behind ENOUGH of the tokens.
    Raises UserError when no threshold that was tried fills the dictionary.
    """
    low, high, best = 0.0, 1.0, None
    for number in range(1, MOST_TRIALS + 1):
        middle = (low + high) / 2
        trial = grow(middle)
        if trial.atoms < atoms:
            high = middle
            continue
        low = best = middle
        if trial.tokens >= ENOUGH * tokens:
            return Reached(middle, number)
    if best is None:
        raise UserError(
            f"No threshold gives {atoms} atoms from {tokens} tokens, because too few of them differ; lower --atoms or "
            "raise --tokens."
        )
    return Reached(best, MOST_TRIALS)
