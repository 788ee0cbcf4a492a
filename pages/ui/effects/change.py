"""Atoms changed: what the model predicts and writes before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from itda_core.analysis.interventions.change import UNITS
from itda_core.analysis.interventions.steered import Curve, Steered, where_changed
from itda_core.analysis.interventions.written import change_of
from itda_core.errors import UserError
from itda_core.figures import effects as figures_effects
from itda_core.figures_as_text import figure, points_apart, signed
from pages.ui.components.charts import chart_config
from pages.ui.components.plain_text import notice, problem
from pages.ui.components.printable import NONE, visible_token
from pages.ui.effects import change_exports, changes_form, marked_text, switch, writing
from pages.ui.forms import kept
from pages.ui.frame import address, effects_engine, engine
from pages.ui.frame.effects_engine import Prompted, Pursued, Wanted

if TYPE_CHECKING:
    from itda_core.analysis.interventions.change import ChangedToken
    from itda_core.analysis.interventions.effect import Effect

_SWITCH, _CURVE_TOKEN = "decompose.change", "decompose.curve_token"
_LOW, _HIGH = "decompose.curve_low", "decompose.curve_high"
_ASKED = (*changes_form.WIDGETS, _CURVE_TOKEN, _LOW, _HIGH, *writing.WIDGETS)
WIDGETS = (_SWITCH, *_ASKED)
_ENDS = {"own": (-2.0, 3.0), "max": (-1.0, 1.0), "norm": (-1.0, 1.0)}  # of the curve's strengths
_LEAST_SHOWN = 5e-4  # of a difference with three digits
_MOST_TOKENS = 2**31 - 1  # of a vocabulary
_TABLE = 212  # pixels of the table of what was changed, beyond which it scrolls


def draw(
    key: engine.DictionaryKey,
    prompt: str,
    token: int,
    pinned: int | None,
    how: Pursued,
    *,
    share: Callable[[Mapping[str, object]], None] | None = None,
) -> dict[str, object]:
    """Draws the section for the pinned atom, of which at first only its switch is seen; what the address says of it.

    share: draws the page's Share button, given what the address says of this section. With it, what is chosen in the
    section runs the section again alone, and the Share button with it; without it, the whole page runs again.
    """
    if pinned is None:
        address.not_drawn(_SWITCH)
        _none_drawn()
        if share is not None:
            share({})
        return {}
    at = Prompted(prompt, token, how)
    return _drawn(key, at, pinned) if share is None else st.fragment(_alone)(key, at, pinned, share)


def _alone(
    key: engine.DictionaryKey, at: Prompted, pinned: int, share: Callable[[Mapping[str, object]], None]
) -> dict[str, object]:
    values = _drawn(key, at, pinned)
    share(values)
    return values


def _none_drawn() -> None:
    address.not_drawn(*_ASKED)
    changes_form.not_drawn()


def _drawn(key: engine.DictionaryKey, at: Prompted, pinned: int) -> dict[str, object]:
    st.subheader(f"Change atom {pinned}", anchor=False)
    opened, values = switch.opened(
        *(key, "change", "What the model does when it is changed"),
        widget=_SWITCH,
        help="x' = x + Σ (c' − c) · atom: what the dictionary does not explain is kept.",
    )
    if not opened:
        _none_drawn()
        return values
    wanted, said = changes_form.form(key, pinned)
    values |= said
    try:
        with st.spinner("Asking the model…", show_time=True):
            found = effects_engine.effect(key, *at, wanted)
        _show(found)
        curve, ends, said = _curve(key, at, wanted, found)
        values |= said
        written, said = writing.draw(key, at, wanted, marked_text.begins(found))
    except UserError as error:
        problem(error, key="decompose.change.problem")
        return values
    change_exports.popover(Steered(found, written.continuations, curve), key, at, wanted, written.told, ends)
    return values | said


def _show(found: Effect) -> None:
    if found.warning:
        notice(found.warning, kind="warning", key="decompose.change.large")
    rows = [
        {
            "next token": visible_token(one.token),
            "before": one.before,
            "after": one.after,
            "difference": points_apart(one.before, one.after),
            "unexplained dropped": one.reconstruction_only,
        }
        for one in found.compared
    ]
    percent = {"format": "percent", "min_value": 0.0, "max_value": 1.0}
    apart = "After less before, in percentage points."
    dropped = (
        "After the same change and with what the dictionary does not explain dropped as well: both together, not the "
        "dropping alone."
    )
    st.dataframe(
        pd.DataFrame(rows),
        key="decompose.change.predictions",
        hide_index=True,
        height="auto",
        column_config={
            "next token": st.column_config.TextColumn(f"next token, behind token {found.token}"),
            "before": st.column_config.ProgressColumn(**percent),
            "after": st.column_config.ProgressColumn(**percent),
            "difference": st.column_config.TextColumn(help=apart),
            "unexplained dropped": st.column_config.ProgressColumn(
                "after, unexplained dropped", **percent, help=dropped
            ),
        },
    )
    _measures(found)
    moved = [one for one in found.changed if one.moved]
    if len(moved) == 1:
        st.caption(_told(found, moved[0]))
    else:
        st.caption(where_changed(found))
    if moved:
        marked_text.prompt(found, key="decompose.change.prompt")
    if len(moved) > 1:
        _changed_table(found, moved)


def _measures(found: Effect) -> None:
    row = st.container(horizontal=True, gap="small", border=True, key="decompose.change.measures")
    row.metric("KL", f"{figure(found.kl, '.3f')}", width="content", help="Before from after, behind this token: nats.")
    row.metric(
        "KL, unexplained dropped",
        figure(found.kl_reconstruction_only, ".3f"),
        width="content",
        help="Before from after where the reconstruction alone takes the activation's place, at the tokens that are "
        "asked to change: of the change and of dropping what the dictionary does not explain, both together.",
    )
    row.metric(
        "KL, only that dropped",
        figure(found.kl_reconstruction_unchanged, ".3f"),
        width="content",
        help="The same with no atom changed: what dropping the unexplained part does by itself.",
    )
    if found.loss_before is not None and found.loss_after is not None:
        difference = found.loss_after - found.loss_before
        # The arrow follows the sign of ASCII.
        change = figure(difference, "+.3f") if abs(difference) >= _LEAST_SHOWN else None
        about = (
            "Mean over the prompt's tokens that follow a token of text, nats: not over the first. Before the change: "
            f"{figure(found.loss_before, '.3f')}."
        )
        *others, last = found.marked
        if last and not any(others):
            about += " Only the last token was changed, behind which nothing of the prompt stands: it stays as it is."
        row.metric("Loss on the prompt", figure(found.loss_after, ".3f"), change, delta_color="inverse", help=about)


def _told(found: Effect, one: ChangedToken) -> str:
    """What was changed at the one token, in each unit."""
    units = ", ".join(
        f"{signed(value, '.2f')} {changes_form.UNITS[name]}"
        for name, value in one.strengths._asdict().items()
        if value is not None
    )
    atom = "" if len(found.changes) == 1 else f", atom {one.atom}"
    return f"Token {one.token}{atom}: coefficient {signed(one.before)} becomes {signed(one.after)}: {units}."


def _changed_table(found: Effect, moved: list[ChangedToken]) -> None:
    assert set(changes_form.UNITS) == set(UNITS), "every unit has its words"
    rows = [
        {
            "at": one.token,
            "token": visible_token(found.tokens[one.token]),
            "atom": one.atom,
            "coefficient": signed(one.before),
            "becomes": signed(one.after),
            **{
                changes_form.UNITS[name]: NONE if value is None else signed(value, ".2f")
                for name, value in one.strengths._asdict().items()
            },
        }
        for one in moved
    ]
    st.dataframe(
        pd.DataFrame(rows),
        key="decompose.change.changed",
        hide_index=True,
        height=min(_TABLE, 36 * (len(rows) + 1)),
    )


def _curve(
    key: engine.DictionaryKey, at: Prompted, wanted: Wanted, found: Effect
) -> tuple[Curve | None, tuple[float, float], dict[str, object]]:
    """KL and the probability of a chosen next token over the first atom's strength; and what the address says of it."""
    first = change_of(wanted.changes[0])
    default_low, default_high = _ENDS[first.unit]
    row = st.container(horizontal=True, gap="medium", vertical_alignment="bottom")
    likeliest = max(found.compared, key=lambda one: one.before).token_id
    address.arrive(
        "curve_token", _CURVE_TOKEN, address.whole(0, _MOST_TOKENS), likeliest, within=(key, at.prompt, at.token)
    )
    texts = {one.token_id: one.token for one in found.compared}
    chosen: int = st.session_state[_CURVE_TOKEN]
    try:
        texts.setdefault(chosen, effects_engine.token_text(key, chosen))
    except UserError as error:
        address.complain(f"The address asks for curve_token={chosen}. {error}")
        chosen = likeliest
    st.session_state[_CURVE_TOKEN] = chosen
    with row.container(width=230):
        chosen = st.selectbox(
            "Probability of", list(texts), format_func=lambda one: visible_token(texts[one]), key=_CURVE_TOKEN
        )
    address.leave("curve_token", _CURVE_TOKEN, chosen, likeliest)
    with row.container(width=130):
        low = kept.real("curve_low", "Curve from", default_low, key=_LOW, step=0.5, format="%.2f")
    with row.container(width=130):
        high = kept.real("curve_high", "to", default_high, key=_HIGH, step=0.5, format="%.2f")
    values = {
        "curve_token": None if chosen == likeliest else chosen,
        "curve_low": None if low == default_low else low,
        "curve_high": None if high == default_high else high,
    }
    if not low < high:
        said = f"A curve from {low:g} to {high:g} has no strengths."
        notice(said, step="Give the smaller one first.", key="decompose.change.no_curve")
        return None, (low, high), values
    points = effects_engine.curve(key, at, wanted, (low, high), chosen)
    st.plotly_chart(
        figures_effects.over_strength(
            points, token=texts[chosen], chosen=first.strength, unit=changes_form.UNITS[first.unit]
        ),
        key="decompose.change.curve",
        config=chart_config(f"atom-{first.atom}-strength"),
    )
    return Curve(texts[chosen], points), (low, high), values
