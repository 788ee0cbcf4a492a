"""One token's atoms, strongest first, each with its source token in its context, or with the tokens of its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from itda_core.analysis.decompose import AtomUse
from itda_core.analysis.in_common import named, pattern_of
from itda_core.analysis.small_shares import SMALL, small_shares
from itda_core.figures_as_text import signed
from pages.ui.components.component import component
from pages.ui.components.printable import visible, visible_token

_component = component("atom_list")


def atom_list(
    uses: Sequence[AtomUse],
    *,
    title: str,
    token: str,
    pinned: int | None,
    facts: Callable[[AtomUse], Sequence[str]],
    on_pick: Callable[[int | None], None],
    key: str,
    note: str = "",
    unfolded: bool = False,
    on_unfold: Callable[[bool], None] | None = None,
    on_open: Callable[[int], None] | None = None,
) -> None:
    """Draws `uses` under `title` and the `token` they explain, and below them the sentence `note`.

    A click pins an atom, a second one lets it go: `on_pick` gets its number, or None. `facts`
    says a few more things about the pinned atom, shown below its full context. `small_shares` wait behind "and 5 more"
    unless `unfolded`; `on_unfold` is told when a reader opens or closes it. With `on_open` the pinned atom has a
    button to its own page.
    """
    hidden = small_shares(uses, pinned)
    data = {
        "label": "Atoms of the token, strongest first",
        "title": title,
        "name": token,
        "heading": "where the atom was seen",
        "empty": "No atom: this token's activation is zero after centring.",
        "pinned": pinned,
        "top": max((abs(use.coefficient) for use in uses), default=1.0),
        "atoms": [_row(use, use.atom in hidden, list(facts(use)) if use.atom == pinned else []) for use in uses],
        "small": f"each with a share below {SMALL:.0%}",
        "unfolded": unfolded,
        "note": note,
        "opens": on_open is not None,
    }

    def picked() -> None:
        hit = st.session_state[key].get("pick")
        if hit is not None:
            on_pick(None if hit["atom"] is None else int(hit["atom"]))

    def folded() -> None:
        hit = st.session_state[key].get("unfold")
        if hit is not None and on_unfold is not None:
            on_unfold(bool(hit["open"]))

    def opened() -> None:
        hit = st.session_state[key].get("open")
        if hit is not None and on_open is not None:
            on_open(int(hit["atom"]))

    _component(data=data, key=key, on_pick_change=picked, on_unfold_change=folded, on_open_change=opened)


def _row(use: AtomUse, small: bool, facts: list[str]) -> dict[str, Any]:
    """What the browser draws of one atom."""
    names = named([place.token for place in use.places])
    return {
        "atom": use.atom,
        "token": visible_token(use.token),
        "before": visible(use.context_before[-60:]),
        "after": visible(use.context_after[:60]),
        "full_before": use.context_before,
        "full_after": use.context_after,
        "further": [
            {
                "token": visible_token(label.token),
                "before": visible(label.context_before[-60:]),
                "after": visible(label.context_after[:60]),
            }
            for label in use.further
        ],
        "tokens": list(names.tokens) if use.further else [],
        "more": names.more,
        "pattern": pattern_of(use),
        "coefficient": use.coefficient,
        "shown": signed(use.coefficient),
        "share": f"{use.share:.0%}",
        "small": small,
        "facts": facts,
    }
