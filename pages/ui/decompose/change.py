"""One atom changed: what the model predicts and writes before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from itda_core.errors import UserError
from itda_core.figures import effects as figures_effects
from itda_core.figures_as_text import figure, signed
from pages.ui.components.charts import chart_config
from pages.ui.components.plain_text import notice, problem
from pages.ui.components.printable import visible_token
from pages.ui.decompose.parts import View
from pages.ui.forms import kept
from pages.ui.frame import address, effects_engine, engine
from pages.ui.frame.address import kept_choice
from pages.ui.frame.effects_engine import Pursued, Wanted

if TYPE_CHECKING:
    from itda_core.analysis.interventions.steer import Effect
    from itda_core.analysis.replay import Prediction

_SWITCH, _STRENGTH, _UNIT = "decompose.change", "decompose.strength", "decompose.unit"
_AT, _ADDED = "decompose.where", "decompose.added"
_ASKED = (_STRENGTH, _UNIT, _AT, _ADDED)
WIDGETS = (_SWITCH, *_ASKED)
_UNITS = {"own": "× its own", "max": "× its largest", "norm": "× the norm"}
_WHERE = {"token": "This token", "prompt": "The prompt", "generated": "What is written", "all": "All of it"}
_CURVES = {"own": (-2.0, 3.0), "max": (-1.0, 1.0), "norm": (-1.0, 1.0)}  # strengths, from and to
_POINTS = 21
_LEAST_SHOWN = 5e-4  # of a difference with three digits


def draw(key: engine.DictionaryKey, prompt: str, token: int, pinned: int | None, view: View) -> dict[str, object]:
    """Draws the section for the pinned atom, of which at first only its switch is seen; what the address says of it."""
    if pinned is None:
        address.not_drawn(*WIDGETS)
        return {}
    st.subheader(f"Change atom {pinned}", anchor=False)
    opened = kept.toggle(
        "change",
        "What the model does when it is changed",
        key=_SWITCH,
        help="x' = x + (c' − c) · atom: what the dictionary does not explain is kept.",
    )
    if not opened:
        address.not_drawn(*_ASKED)
        return {}
    if (reason := effects_engine.no_next_token(key)) is not None:
        address.not_drawn(*_ASKED)
        notice(reason, kind="info", key="decompose.change.none")
        return {"change": "True"}
    wanted = _wanted(key, pinned)
    how = Pursued(view.k, view.method, view.non_negative)
    values = {
        "change": "True",
        "strength": None if wanted.strength == 0 else wanted.strength,
        "unit": None if wanted.unit == "own" else wanted.unit,
        "where": None if wanted.where == "token" else wanted.where,
        "added": "True" if wanted.added else None,
    }
    try:
        with st.spinner("Asking the model…", show_time=True):
            found = effects_engine.effect(key, prompt, token, how, wanted)
            low, high = _CURVES[wanted.unit]
            strengths = tuple(low + (high - low) * i / (_POINTS - 1) for i in range(_POINTS))
            points = effects_engine.curve(key, prompt, token, how, wanted, strengths, found.before_ids[0])
    except UserError as error:
        problem(error, key="decompose.change.problem")
        return values
    _show(found)
    st.plotly_chart(
        figures_effects.over_strength(points, token=found.before[0].token, chosen=wanted.strength),
        key="decompose.change.curve",
        config=chart_config(f"atom-{pinned}-strength"),
    )
    _write(key, prompt, token, how, wanted)
    return values


def _wanted(key: engine.DictionaryKey, atom: int) -> Wanted:
    row = st.container(horizontal=True, gap="medium", vertical_alignment="bottom")
    with row.container(width=150):
        strength = kept.real("strength", "Strength", 0.0, key=_STRENGTH, step=0.25, format="%.2f")
    known = effects_engine.largest(key, atom) is not None
    units = {name: title for name, title in _UNITS.items() if known or name != "max"}
    with row.container(width="content"):
        unit = kept_choice(
            "Unit",
            "unit",
            units,
            key=_UNIT,
            help="Own: 0 removes the atom, 1 changes nothing, −1 reverses it. Largest: its largest coefficient in its "
            "index. Norm: of the token's activation.",
        )
    with row.container(width="content"):
        where = kept_choice("Where", "where", _WHERE, key=_AT, help="Special tokens are left alone.")
    added = False
    if unit == "own":
        address.not_drawn(_ADDED)
    else:
        with row.container(width="content"):
            added = kept.toggle("added", "Add", key=_ADDED, help="Add to the coefficient, not set it.")
    return Wanted(atom, strength, unit, added, where)


def _show(found: Effect) -> None:
    if found.warning:
        notice(found.warning, kind="warning", key="decompose.change.large")
    columns = st.columns(3, gap="medium")
    for column, title, predictions in zip(
        columns,
        ("Before", "After", "After, the unexplained part dropped"),
        (found.before, found.after, found.reconstruction_only),
        strict=True,
    ):
        with column:
            st.markdown(f"**{title}**")
            _predictions(predictions, key=title)
    row = st.container(horizontal=True, gap="small", border=True, key="decompose.change.measures")
    row.metric("KL", f"{figure(found.kl, '.3f')}", width="content", help="Before from after, behind this token: nats.")
    row.metric(
        "KL, unexplained dropped",
        figure(found.kl_reconstruction_only, ".3f"),
        width="content",
        help="The same when the reconstruction alone takes the activation's place.",
    )
    if found.loss_before is not None and found.loss_after is not None:
        difference = found.loss_after - found.loss_before
        change = signed(difference, "+.3f") if abs(difference) >= _LEAST_SHOWN else None
        about = "Mean over the prompt's tokens, nats."
        row.metric("Loss on the prompt", figure(found.loss_after, ".3f"), change, delta_color="inverse", help=about)
    st.caption(_told(found))


def _told(found: Effect) -> str:
    """What was changed, in each unit."""
    changed = [one for one in found.changed if one.before != one.after]
    if not changed:
        return "Nothing was changed in the prompt: the atom is not used there, or the strength leaves it as it is."
    if len(changed) > 1:
        return f"Changed at {len(changed)} tokens of the prompt."
    (one,) = changed
    own, norm = one.strengths
    times = "" if own is None else f"{figure(own, '.2f')} times its own, "
    return (
        f"Token {one.token}: coefficient {signed(one.before)} becomes {signed(one.after)}, {times}"
        f"{figure(norm, '.2f')} times the norm of the activation."
    )


def _predictions(predictions: Sequence[Prediction], *, key: str) -> None:
    rows = [{"token": visible_token(one.token), "p": one.probability} for one in predictions]
    st.dataframe(
        pd.DataFrame(rows, columns=["token", "p"]),
        key=f"decompose.change.{key}",
        hide_index=True,
        column_config={
            "token": st.column_config.TextColumn("next token", width="small"),
            "p": st.column_config.ProgressColumn("probability", format="percent", min_value=0.0, max_value=1.0),
        },
    )


def _write(key: engine.DictionaryKey, prompt: str, token: int, how: Pursued, wanted: Wanted) -> None:
    """The likeliest continuations, when asked for."""
    about = f"decompose.write.{hash((key, prompt, token, how, wanted))}"
    if st.button(f"Write {effects_engine.N_WRITTEN} tokens, before and after", key="decompose.write"):
        st.session_state[about] = True
    if not st.session_state.get(about):
        return
    try:
        with st.spinner("Writing…", show_time=True):
            found = effects_engine.written(key, prompt, token, how, wanted)
    except UserError as error:
        problem(error, key="decompose.write.problem")
        return
    left, right = st.columns(2, gap="medium")
    for column, title, text in ((left, "Before", found.before), (right, "After", found.after)):
        with column:
            st.markdown(f"**{title}**")
            st.text(prompt + text)
