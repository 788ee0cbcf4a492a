"""The parts of "Why the next token": token by layer, one layer's tokens and atoms, the check."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from itda_core.figures import attribution as figures_attribution
from itda_core.figures import effects as figures_effects
from itda_core.figures.attribution_page import divided
from pages.ui.components.charts import chart_config
from pages.ui.components.heatmap import heatmap
from pages.ui.components.printable import NONE, visible, visible_token
from pages.ui.frame import engine

if TYPE_CHECKING:
    from itda_core.analysis.interventions.attribute import Attribution

_SHOWN = 30  # atoms in the table
_ROW, _MOST_HEIGHT = 35, 420  # pixels of a table


def over_layers(found: Attribution, own: int, token: int, on_cell: Callable[[int, int], None]) -> None:
    """All layers: a cell per token and layer, and how each layer's effects divide.

    own: which layer is shown below, by its place; token: the chosen one; on_cell: is told a layer's place and a token.
    """
    last = len(found.layers) - 1
    heatmap(
        figures_attribution.token_by_layer(found),
        key="decompose.why.layers",
        file=f"why-token-{found.token}-layers",
        chosen=(last - own, token) if token <= found.token else None,
        on_pick=lambda row, column: on_cell(last - row, column),
    )
    st.caption("The sum of the atoms' effects at each token and layer. A click opens that layer at that token.")
    rows = [layer.to_dict() for layer in found.layers]
    names = ("layer", "dictionary", "atoms", "mean", "error", "sum", "explained")
    names = (*names[:-1], "path_change", names[-1]) if found.integrated else names
    about = {
        "atoms": "The effects of all atoms at all tokens.",
        "mean": "The effect of the dictionary's mean, at all tokens, special ones too.",
        "error": "The effect of what the dictionary does not explain, at all tokens, special ones too.",
        "sum": "All three: activation × gradient, over all tokens.",
        "path_change": "What the target really changes by along the path: the sum, where its steps are enough.",
    }
    figures = {
        name: st.column_config.NumberColumn(name.replace("_", " "), format="%+.3f", width="small", help=text)
        for name, text in about.items()
    }
    st.dataframe(
        pd.DataFrame([{name: row[name] for name in names} for row in rows], columns=list(names)),
        key="decompose.why.by_layer",
        hide_index=True,
        placeholder=NONE,
        height="auto",
        column_config={
            "layer": st.column_config.NumberColumn("layer", format="%d", width="small"),
            "dictionary": st.column_config.TextColumn("dictionary", width="medium"),
            **figures,
            "explained": st.column_config.ProgressColumn(
                "share of atoms",
                format="percent",
                min_value=0.0,
                max_value=1.0,
                help="Of all effects without their signs, the atoms' share; the rest is mean or not explained.",
            ),
        },
    )


def one_layer(key: engine.DictionaryKey, found: Attribution, own: int, on_pick: Callable[[int | None], None]) -> None:
    """One layer by token and by atom, and how well removing its atoms agrees."""
    layer = found.layers[own]
    if len(found.layers) > 1:
        st.markdown(f"**Layer {layer.layer}: by token, by atom**")
    st.plotly_chart(
        figures_effects.by_token(found, layer=own),
        key="decompose.why.chart",
        config=chart_config(f"why-token-{found.token}"),
    )
    atoms, check = st.columns([5, 3], gap="medium") if layer.checked else (st.container(), None)
    with atoms:
        _atoms(key, found, own, on_pick)
    if check is not None:
        with check:
            st.markdown(
                "**Checked by removing**",
                help="Each of the strongest atoms is really taken out, alone, at its token. On the dotted line the "
                "change is just as predicted.",
            )
            st.plotly_chart(
                figures_attribution.checked(found, layer=own),
                key="decompose.why.checked",
                config=chart_config(f"why-token-{found.token}-checked"),
            )
            if agreed := figures_attribution.agreement(layer):
                st.caption(agreed)
    st.caption(f"{divided(layer, found.integrated)} Choose a row to pin its atom.")


def _atoms(key: engine.DictionaryKey, found: Attribution, own: int, on_pick: Callable[[int | None], None]) -> None:
    """The strongest atoms, both signs; choosing a row tells its atom."""
    layer, table = found.layers[own], _table(key, found, own)
    about = hash((found.prompt, found.token, found.target_id, found.integrated, layer.dictionary, layer.k))

    def picked() -> None:
        rows = st.session_state[f"decompose.why.{about}"]["selection"]["rows"]
        on_pick(int(table["atom"].iloc[rows[0]]) if rows else None)

    st.dataframe(
        table,
        key=f"decompose.why.{about}",
        hide_index=True,
        placeholder=NONE,
        on_select=picked,
        selection_mode="single-row",
        height=min(_ROW * (len(table) + 1) + 3, _MOST_HEIGHT),
        column_config={
            "at": st.column_config.NumberColumn("#", width="small", help="Number of the token in the prompt."),
            "token": st.column_config.TextColumn("token", width="small"),
            "atom": st.column_config.NumberColumn("atom", format="%d", width="small"),
            "label": st.column_config.TextColumn("where the atom was seen", width="medium"),
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


def _table(key: engine.DictionaryKey, found: Attribution, own: int) -> pd.DataFrame:
    layer = found.layers[own]
    measured = {(one.token, one.atom): one.measured for one in layer.checked}
    dictionary, rows = engine.dictionary(key), []
    for part in layer.parts[:_SHOWN]:
        label = dictionary.label(part.atom)
        rows.append(
            {
                "at": part.token,
                "token": visible_token(found.tokens[part.token]),
                "atom": part.atom,
                "effect": part.effect,
                "removed": measured.get((part.token, part.atom)),
                "coefficient": part.coefficient,
                "label": visible(f"{label.context_before[-16:]}⟦{label.token}⟧{label.context_after[:30]}"),
            }
        )
    columns = ["at", "token", "atom", "effect", "removed", "coefficient", "label"]
    return pd.DataFrame(rows, columns=columns)
