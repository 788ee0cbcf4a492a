"""Tokens in their contexts, one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from itda_core.analysis.in_common import Seen
from pages.ui.components.component import component
from pages.ui.components.printable import visible, visible_token

_component = component("label_list")


def label_list(
    labels: Sequence[Seen],
    *,
    empty: str,
    key: str,
    more: Sequence[int] = (),
    picked: int | None = None,
    on_pick: Callable[[int | None], None] | None = None,
) -> None:
    """Draws `labels` in order; `empty` is said when there are none. more: of each, how many places are not shown.

    With `on_pick` a click chooses one: it gets the label's place in `labels`, or None for the one chosen already
    (`picked`), whose whole context is shown below it.
    """
    rows = [
        {
            "before": visible(label.context_before[-70:]),
            "token": visible_token(label.token),
            "after": visible(label.context_after[:70]),
            "more": f"and {n:,} more" if place < len(more) and (n := more[place]) else "",
            "full": [label.context_before, label.token, label.context_after] if place == picked else None,
        }
        for place, label in enumerate(labels)
    ]
    data = {"labels": rows, "empty": empty, "pickable": on_pick is not None}

    def chosen() -> None:
        hit = st.session_state[key].get("pick")
        if hit is not None and on_pick is not None:
            on_pick(None if hit["label"] is None else int(hit["label"]))

    _component(data=data, key=key, on_pick_change=chosen)
