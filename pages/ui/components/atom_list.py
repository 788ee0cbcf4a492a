"""One token's atoms, strongest first, each with the source token in its context."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from itda_core.analysis.decompose import AtomUse
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
) -> None:
    """Draws `uses` under `title` and the `token` they explain.

    A click pins an atom, a second one lets it go: `on_pick` gets its number, or None. `facts`
    says a few more things about the pinned atom, shown below its full context.
    """
    data = {
        "label": "Atoms of the token, strongest first",
        "title": title,
        "name": token,
        "heading": "where the atom was seen",
        "empty": "No atom: this token's activation is zero after centring.",
        "pinned": pinned,
        "top": max((abs(use.coefficient) for use in uses), default=1.0),
        "atoms": [
            {
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
                "coefficient": use.coefficient,
                "shown": signed(use.coefficient),
                "share": f"{use.share:.0%}",
                "facts": list(facts(use)) if use.atom == pinned else [],
            }
            for use in uses
        ],
    }

    def picked() -> None:
        hit = st.session_state[key].get("pick")
        if hit is not None:
            on_pick(None if hit["atom"] is None else int(hit["atom"]))

    _component(data=data, key=key, on_pick_change=picked)
