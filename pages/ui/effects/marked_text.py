"""Text of which some tokens are marked: those at which atoms were changed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui.components.component import component

if TYPE_CHECKING:
    from itda_core.analysis.interventions.effect import Effect, Piece

_marked_text = component("marked_text")
_MOST_BEGINNING = 200  # characters
_TIP = "atoms were changed at this token"


def prompt(effect: Effect, *, key: str) -> None:
    """The prompt's tokens; special ones only where they are marked."""
    _draw("The prompt", [_token(text, mark, "") for text, mark in _shown(effect)], key=key)


def _shown(effect: Effect) -> list[tuple[str, bool]]:
    """The prompt's tokens, and whether each is marked; special ones only where they are."""
    marked = enumerate(zip(effect.tokens, effect.marked, strict=True))
    return [(text, mark) for i, (text, mark) in marked if mark or not effect.special[i]]


Beginning = tuple[tuple[str, bool], ...]  # parts of a prompt, and whether each is marked


def begins(effect: Effect) -> Beginning:
    """How a prompt is told before what was written behind it, with its marks: of a long one its end."""
    if not any(effect.marked):
        return unmarked(effect.prompt)
    kept: list[tuple[str, bool]] = []
    room = _MOST_BEGINNING
    for text, mark in reversed(_shown(effect)):
        room -= len(text)
        if room < 0:
            kept.append(("…", False))
            break
        kept.append((text, mark))
    alike = groupby(reversed(kept), key=lambda part: part[1])
    return tuple(("".join(text for text, _ in parts), mark) for mark, parts in alike)


def unmarked(prompt: str) -> Beginning:
    """The same where no mark is known, or there is none."""
    return ((beginning(prompt), False),)


def beginning(prompt: str) -> str:
    """How a prompt is told before what was written behind it: of a long one its end."""
    return prompt if len(prompt) <= _MOST_BEGINNING else f"…{prompt[-_MOST_BEGINNING:]}"


def both(prompt: str, begun: Beginning, before: Sequence[Piece], after: Sequence[Piece], *, key: str) -> None:
    """What was written before and after, side by side, behind the prompt; after, behind `begun` with its marks."""
    plain = (beginning(prompt), "given", "")
    marked = [_token(text, mark, "given") for text, mark in begun]
    for column, title, pieces in zip(st.columns(2, gap="medium"), ("Before", "After"), (before, after), strict=True):
        with column:
            st.markdown(f"**{title}**")
            first = marked if title == "After" else [plain]
            _draw(title, [*first, *(_token(piece.text, piece.changed, "") for piece in pieces)], key=f"{key}.{title}")
    if any(mark for _, mark in begun) or any(piece.changed for piece in after):
        st.caption("Underlined: atoms were changed at this token, when the model read it.")


def _token(text: str, mark: bool, otherwise: str) -> tuple[str, str, str]:
    return (text, "mark", _TIP) if mark else (text, otherwise, "")


def _draw(label: str, tokens: list[tuple[str, str, str]], *, key: str) -> None:
    _marked_text(data={"label": label, "tokens": tokens}, key=key)
