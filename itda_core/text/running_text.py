"""A window's text as it reads, cut into its tokens: no character twice, and none of what lies between tokens left out.

The tokens of one character (the bytes of an emoji, where a tokenizer falls back to bytes) cover the same place, so they
are one piece of the text. WordPiece's tokens leave the spaces between words to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Piece(NamedTuple):
    """A stretch of a window's text."""

    text: str
    token: int | None  # which of the window's tokens it is; None between tokens
    value: float  # of that token


def running(
    text: str, spans: Sequence[tuple[int, int]], values: Sequence[float], at: int, low: int, high: int
) -> list[Piece]:
    """The pieces of `text` from token `low` to before token `high`; they join to what stands there.

    spans: of each token, characters of `text`. Of several tokens of one character the piece is the one of `at`, where
    it is among them, else the one whose value is largest by size.
    """
    found: list[Piece] = []
    reached = spans[low][0] if low < high else 0
    for i in range(low, high):
        start, end = spans[i]
        if start > reached:
            found.append(Piece(text[reached:start], None, 0.0))
        elif start < reached and found and (before := found[-1].token) is not None:
            last = found.pop()
            chosen = before if before == at or (i != at and abs(last.value) >= abs(values[i])) else i
            found.append(Piece(last.text + text[reached:end], chosen, values[chosen]))
            reached = max(reached, end)
            continue
        found.append(Piece(text[start:end], i, values[i]))
        reached = max(reached, end)
    return found


def part_of(spans: Sequence[tuple[int, int]], at: int) -> tuple[int, int] | None:
    """Which of the tokens at one place token `at` is, from 1, and how many there are; None where it is the only one."""
    same = [i for i in range(max(0, at - 32), min(len(spans), at + 33)) if spans[i] == spans[at]]
    return (same.index(at) + 1, len(same)) if len(same) > 1 and spans[at][0] < spans[at][1] else None
