"""Where an atom fires: windows of text, each token coloured by the atom's coefficient, all of a page on one scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import streamlit as st

from itda_core.figures_as_text import figure, signed
from itda_core.text.running_text import part_of, running
from pages.ui.components.component import component
from pages.ui.components.printable import unseen, visible, visible_token

_component = component("example_list")
_BEFORE, _AFTER = 24, 12  # tokens around the example's own in a short window
_SPOKEN = 60  # characters before and behind the token that a screen reader says


class Shown(NamedTuple):
    """One example: a window's text, its tokens' places in it and the atom's coefficient at each."""

    text: str
    spans: Sequence[tuple[int, int]]  # characters of `text`
    coefficients: Sequence[float]
    first_token: int  # the number of the first of them, as `on_open` gets it
    at: int  # which of them the example is about
    relative: float  # coefficient / norm of the activation
    kind: str | None
    document: str
    alike: int  # examples that are folded into this one


class Group(NamedTuple):
    """Examples under one heading."""

    title: str
    note: str
    examples: Sequence[Shown]
    empty: str = ""


class Section(NamedTuple):
    """Groups beside each other or one below the other."""

    groups: Sequence[Group]
    beside: bool = False
    title: str = ""
    note: str = ""


class View(NamedTuple):
    """How the text of all examples is shown."""

    separate: bool  # tokens as boxes; else as running text
    whole: bool  # the whole window; else some tokens around the example's own
    breaks: bool  # whether lines end where the text's lines end


def example_list(
    sections: Sequence[Section], *, atom: int, top: float, view: View, on_open: Callable[[int], None], key: str
) -> None:
    """Draws `sections`; a click on a token, or Enter on an example, calls `on_open` with the token's number.

    top: the size of a coefficient at which the colour is deepest.
    """
    data = {
        "label": f"Where atom {atom} fires",
        "legend": f"Coefficient of atom {atom}",
        "top": top or 1.0,
        "separate": view.separate,
        "breaks": view.breaks,
        "sections": [
            {
                "title": section.title,
                "note": section.note,
                "beside": section.beside,
                "groups": [
                    {**group._asdict(), "examples": [_example(one, view) for one in group.examples]}
                    for group in section.groups
                ],
            }
            for section in sections
        ],
    }

    def opened() -> None:
        hit = st.session_state[key].get("open")
        if hit is not None:
            on_open(int(hit["token"]))

    _component(data=data, key=key, on_open_change=opened)


def _example(one: Shown, view: View) -> dict[str, Any]:
    """What the browser draws of an example."""
    low, high = 0, len(one.spans)
    if not view.whole:
        low, high = max(0, one.at - _BEFORE), min(high, one.at + _AFTER + 1)
    pieces = list(_pieces(one, low, high, joined=not view.separate))
    start, end = one.spans[one.at]
    more = f"{one.alike} more like it" if one.alike else ""
    part = part_of(one.spans, one.at)
    piece = f"token {part[0]} of the {part[1]} of “{visible(one.text[start:end])}”" if part else ""
    facts = [f"{figure(abs(one.relative), '.0%')} of the norm", piece, one.kind or "", visible(one.document), more]
    return {
        "value": one.coefficients[one.at],
        "token": one.first_token + one.at,
        "at": next(i for i, piece in enumerate(pieces) if piece[1] == one.first_token + one.at),
        "pieces": pieces,
        "cut": [low > 0, high < len(one.spans)],
        "facts": " · ".join(fact for fact in facts if fact),
        "spoken": visible(
            f"{one.text[max(0, start - _SPOKEN) : start]}“{one.text[start:end]}”{one.text[end : end + _SPOKEN]}"
        ),
    }


def _pieces(one: Shown, low: int, high: int, *, joined: bool) -> Iterator[list[Any]]:
    """The tokens from `low` to `high` with what lies between them: text, number (None between tokens), coefficient,
    whether a line ends there, whether nothing of it would show.

    joined: for running text, in which no character is shown twice and the bytes of one are one piece; else every token
    in full.
    """
    if joined:
        for piece in running(one.text, one.spans, one.coefficients, one.at, low, high):
            token = None if piece.token is None else one.first_token + piece.token
            yield _piece(piece.text or "∅" * (piece.token == one.at), token, piece.value, joined)
        return
    reached = one.spans[low][0] if low < high else 0
    for i in range(low, high):
        start, end = one.spans[i]
        if start > reached:
            yield _piece(one.text[reached:start], None, 0.0, joined)
        yield _piece(one.text[start:end], one.first_token + i, one.coefficients[i], joined)
        reached = max(reached, end)


def _piece(text: str, token: int | None, value: float, joined: bool) -> list[Any]:
    shown = visible(text) if joined else visible_token(text)
    return [shown, token, round(value, 4), "\n" in text, not joined and unseen(text)]


def signed_range(low: float, high: float) -> str:
    """Two coefficients and what lies between them."""
    return f"{signed(low)} to {signed(high)}"
