"""Where a prompt is typed: Enter submits, Shift+Enter starts a line, examples are one click away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.ui.components.component import component

_component = component("prompt_box")


def prompt_box(value: str, *, examples: Sequence[str], on_submit: Callable[[str], None], key: str) -> None:
    """Draws the box holding `value`; `on_submit` gets the text when it is sent off."""

    def submitted() -> None:
        hit = st.session_state[key].get("submit")
        if hit is not None:
            on_submit(str(hit["text"]))

    data = {"value": value, "examples": list(examples), "placeholder": "Type any text…"}
    _component(data=data, key=key, on_submit_change=submitted)
