"""Why this next token: the atoms that make it likely, checked by removing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from itda_core.errors import UserError
from itda_core.figures import effects as figures_effects
from itda_core.figures_as_text import figure, signed
from pages.ui.components.charts import chart_config
from pages.ui.components.plain_text import notice, problem
from pages.ui.components.printable import NONE, visible, visible_token
from pages.ui.decompose.parts import View, pick_atom
from pages.ui.forms import kept
from pages.ui.frame import address, effects_engine, engine
from pages.ui.frame.effects_engine import Asked, Pursued

if TYPE_CHECKING:
    from itda_core.analysis.interventions.attribute import Attribution

_SWITCH, _NEXT, _AGAINST, _KIND = "decompose.why", "decompose.next", "decompose.against", "decompose.kind"
_ASKED = (_NEXT, _AGAINST, _KIND)
WIDGETS = (_SWITCH, *_ASKED)
_SHOWN = 30  # atoms in the table
_KINDS = ("logit", "log-probability")


def draw(key: engine.DictionaryKey, prompt: str, token: int, view: View) -> dict[str, object]:
    """Draws the section, of which at first only its switch is seen; gives what the address says of it."""
    st.subheader("Why the next token", anchor=False)
    opened = kept.toggle(
        "why",
        "Which atoms make it likely",
        key=_SWITCH,
        help="One backward pass; then the strongest twenty are really removed, one by one.",
    )
    if not opened:
        address.not_drawn(*_ASKED)
        return {}
    if (reason := effects_engine.no_next_token(key)) is not None:
        address.not_drawn(*_ASKED)
        notice(reason, kind="info", key="decompose.why.none")
        return {"why": "True"}
    asked = _asked()
    values: dict[str, object] = {"why": "True", "next": asked.target, "against": asked.against}
    values["kind"] = None if asked.kind == _KINDS[0] else asked.kind
    how = Pursued(view.k, view.method, view.non_negative)
    try:
        with st.spinner("Asking the model…", show_time=True):
            found = effects_engine.attribution(key, prompt, token, how, asked)
    except UserError as error:
        problem(error, key="decompose.why.problem")
        return values
    _show(key, found)
    return values


def _asked() -> Asked:
    left, middle, right = st.columns(3)
    with left:
        target = _token("next", "Next token", "the likeliest one")
    with middle:
        against = _token("against", "Against", "no other token")
    with right:
        kind = kept.choice(
            "kind",
            "Explained",
            _KINDS,
            key=_KIND,
            help="A token's logit, or its log probability, which counts what happens to all other tokens too.",
        )
    return Asked(target, against, kind)


def _token(name: str, label: str, without: str) -> str:
    """A next token's text as it was typed: its space in front belongs to it."""
    key = f"decompose.{name}"
    address.arrive(name, key, str, "")
    given = st.text_input(label, key=key, placeholder=without, help="One token, with its space in front if it has one.")
    address.leave(name, key, given or "", "")
    return given or ""


def _show(key: engine.DictionaryKey, found: Attribution) -> None:
    (layer,) = found.layers
    against = "" if found.against is None else f" against “{visible_token(found.against)}”"
    st.text(
        f"“{visible_token(found.target)}”{against} behind token {found.token} "
        f"“{visible_token(found.tokens[found.token])}”: {found.kind} {signed(found.value)}, probability "
        f"{figure(found.probability, '.1%')}."
    )
    st.plotly_chart(
        figures_effects.by_token(found), key="decompose.why.chart", config=chart_config(f"why-token-{found.token}")
    )
    table = _table(key, found)
    about = hash((found.prompt, found.token, found.target_id, layer.dictionary, layer.k))

    def picked() -> None:
        rows = st.session_state[f"decompose.why.{about}"]["selection"]["rows"]
        pick_atom(int(table["atom"].iloc[rows[0]]) if rows else None)

    st.dataframe(
        table,
        key=f"decompose.why.{about}",
        hide_index=True,
        placeholder=NONE,
        on_select=picked,
        selection_mode="single-row",
        height=min(38 * (len(table) + 1), 420),
        column_config={
            "at": st.column_config.NumberColumn("#", width="small", help="Number of the token in the prompt."),
            "token": st.column_config.TextColumn("token", width="small"),
            "atom": st.column_config.NumberColumn("atom", format="%d", width="small"),
            "label": st.column_config.TextColumn("where the atom was seen", width="large"),
            "coefficient": st.column_config.NumberColumn("coefficient", format="%+.2f", width="small"),
            "effect": st.column_config.NumberColumn(
                "effect", format="%+.3f", width="small", help="Coefficient × (atom · gradient): to first order."
            ),
            "removed": st.column_config.NumberColumn(
                "if removed",
                format="%+.3f",
                width="small",
                help="What the target really changes by when the atom is taken out at that token.",
            ),
        },
    )
    rest, mean = signed(sum(layer.error), "+.3f"), signed(sum(layer.mean), "+.3f")
    checked = ""
    if layer.rank_correlation is not None:
        checked = (
            f" Of the {len(layer.checked)} strongest, effect and removal agree by a rank correlation of "
            f"{figure(layer.rank_correlation, '.2f')}."
        )
    st.caption(
        f"What atoms do not explain: {rest}; the dictionary's mean: {mean}; all parts together: "
        f"{signed(layer.sum, '+.3f')}, which is activation × gradient.{checked} Choose a row to pin its atom."
    )


def _table(key: engine.DictionaryKey, found: Attribution) -> pd.DataFrame:
    (layer,) = found.layers
    measured = {(one.token, one.atom): one.measured for one in layer.checked}
    dictionary, rows = engine.dictionary(key), []
    for part in layer.parts[:_SHOWN]:
        label = dictionary.label(part.atom)
        rows.append(
            {
                "at": part.token,
                "token": visible_token(found.tokens[part.token]),
                "atom": part.atom,
                "label": visible(f"{label.context_before[-40:]}⟦{label.token}⟧{label.context_after[:30]}"),
                "coefficient": part.coefficient,
                "effect": part.effect,
                "removed": measured.get((part.token, part.atom)),
            }
        )
    columns = ["at", "token", "atom", "label", "coefficient", "effect", "removed"]
    return pd.DataFrame(rows, columns=columns)
