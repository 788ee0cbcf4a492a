"""What of changed atoms can be taken along: JSON, a page that opens without network, the same in a terminal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from itda_core.files.without_paths import without_paths
from itda_core.runs.steering.request import SteerRequest
from pages.ui.frame import engine, shell
from pages.ui.frame.effects_engine import Prompted, Told, Wanted

if TYPE_CHECKING:
    from itda_core.analysis.interventions.steered import Steered


def request(
    key: engine.DictionaryKey,
    at: Prompted,
    wanted: Wanted,
    told: Told,
    *,
    curve: tuple[float, float] | None = None,
    next_token: str | None = None,
) -> SteerRequest:
    """What the page shows, as a request; the dictionary by its name."""
    return SteerRequest(
        dictionary=Path(key.path).name,
        prompt=at.prompt,
        atoms=wanted.changes,
        where=wanted.where,
        token=at.token,
        special=wanted.special,
        new_tokens=told.new_tokens,
        temperature=told.temperature,
        seed=told.seed,
        curve=None if curve is None else f"{curve[0]:.10g}:{curve[1]:.10g}",
        next=next_token,
        k=at.how.k,
        method=at.how.method,
        non_negative=at.how.non_negative,
    )


def popover(
    steered: Steered,
    key: engine.DictionaryKey,
    at: Prompted,
    wanted: Wanted,
    told: Told,
    ends: tuple[float, float],
) -> None:
    """The button with the files and the command."""
    if steered.continuations is None:
        told = told._replace(new_tokens=0)
    drawn = steered.curve
    asked = request(
        *(key, at, wanted, told),
        curve=None if drawn is None else ends,
        next_token=None if drawn is None else drawn.next_token,
    )
    with st.popover("Take it along", icon=":material/download:"):
        for label, (name, mime, content) in files(steered, asked.command(), _stem(steered)).items():
            st.download_button(
                label, content, name, mime, key=f"decompose.change.export.{label}", on_click="ignore", width="stretch"
            )
        st.markdown("**The same in a terminal**")
        st.code(asked.command(), language="bash", wrap_lines=True)


def _stem(steered: Steered) -> str:
    return f"{steered.effect.dictionary}-atom-{steered.effect.changes[0].atom}-changed"


def files(steered: Steered, command: str, stem: str) -> shell.Files:
    """The files, whose names begin with `stem`; what they say of folders of this machine are names.

    command: the same in a terminal.
    """
    told = replace(steered, effect=replace(steered.effect, model=without_paths(steered.effect.model)))

    def everything() -> str:
        return json.dumps({"command": command, **told.to_dict()}, indent=2, ensure_ascii=False)

    def page() -> str:
        from itda_core.figures.steering_page import steering_page

        return steering_page(told, command=command)

    return {
        "Change (JSON)": (f"{stem}.json", "application/json", everything),
        "Change (web page, works offline)": (f"{stem}.html", "text/html", page),
    }
