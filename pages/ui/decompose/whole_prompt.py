"""The atoms of all tokens of a prompt together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from itda_core.analysis.decompose import AtomUse, Decomposition, TokenDecomposition
from itda_core.analysis.in_common import pattern_of, tokens_of
from itda_core.figures_as_text import no_minus_zero
from pages.ui.components.printable import NONE, visible, visible_token
from pages.ui.decompose.parts import pick_atom
from pages.ui.frame import engine

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

_TITLE_WIDTH = 125  # pixels; the column's title is not cut
_MOST_COLOURED = 2000  # rows; pandas takes seconds to style tens of thousands
_NEGATIVE = {"light": "color: #c2410c", "dark": "color: #fb923c"}
_PINNED = "background-color: rgba(99, 102, 241, 0.16)"


def whole_prompt(dictionary: engine.DictionaryKey, shown: Decomposition, pinned: int | None, *, of: str) -> None:
    """The atoms of all tokens together, ranked; `of` is what `parts.in_which` gives."""
    st.subheader(f"Over the whole prompt{of}", anchor=False)
    table = prompt_atoms(shown)
    st.caption(
        f"{len(table):,} different atoms, those used by most tokens first. Max: an atom's largest coefficient, "
        "whatever its sign. Sum: all of them, without their signs. Choose a row to pin its atom; a title sorts."
    )
    single = not any(table["common"].tolist())
    about = (shown.prompt, shown.k, shown.method, shown.non_negative, dictionary)
    key = f"decompose.prompt.{hash(about)}"

    def picked() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        pick_atom(int(table["atom"].iloc[rows[0]]) if rows else None)

    st.dataframe(
        _coloured(table, pinned),
        key=key,
        hide_index=True,
        placeholder=NONE,
        on_select=picked,
        selection_mode="single-row",
        height=min(38 * (len(table) + 1), 380),
        column_config={
            "atom": st.column_config.NumberColumn(
                "atom", format="%d", width="small", help="Its number in the dictionary."
            ),
            "token": st.column_config.TextColumn(
                "source tokens",
                width=_TITLE_WIDTH if single else "medium",
                help="The token, or the tokens, that the atom was seen at.",
            ),
            "context": st.column_config.TextColumn(
                "source context", width="large" if single else "medium", help="The text around it; ⟦ ⟧ mark the token."
            ),
            "common": None if single else st.column_config.TextColumn(
                "in common", width="medium", help="What the places of an atom with several labels share."
            ),
            "tokens": st.column_config.NumberColumn("tokens", help="How many tokens use it.", width="small"),
            "max": st.column_config.NumberColumn(
                "max", help="Its largest coefficient by size, with its sign.", format="%+.2f"
            ),
            "sum": st.column_config.ProgressColumn(
                "sum", help="All its coefficients added up without their signs.", format="%.2f", min_value=0.0,
                max_value=max(table["sum"], default=1.0),
            ),
            "where": st.column_config.TextColumn(
                "tokens that use it", width="medium", help="Up to a dozen, in the order of the prompt."
            ),
        },
    )  # fmt: skip


def _coloured(table: pd.DataFrame, pinned: int | None) -> pd.DataFrame | Styler:
    """The table with negative coefficients in the colour that they have everywhere, the pinned atom's row tinted."""
    if len(table) > _MOST_COLOURED:
        return table
    negative = _NEGATIVE["dark" if st.context.theme.type == "dark" else "light"]
    styled = table.style.map(lambda value: negative if value < 0 else "", subset=["max"])
    rows = [row for row, atom in enumerate(table["atom"].tolist()) if atom == pinned]
    return styled.map(lambda _: _PINNED, subset=(rows, list(table.columns))) if rows else styled


def prompt_atoms(shown: Decomposition) -> pd.DataFrame:
    """One row per atom used in the prompt's own tokens (special ones left out), most used first."""
    uses: dict[int, list[tuple[TokenDecomposition, AtomUse]]] = {}
    for token in shown.tokens:
        if not token.special:
            for use in token.atoms:
                uses.setdefault(use.atom, []).append((token, use))
    rows = [
        {
            "atom": atom,
            "token": visible_token(tokens_of(found[0][1])),
            "common": pattern_of(found[0][1]),
            "context": visible(
                f"{found[0][1].context_before[-40:]}⟦{found[0][1].token}⟧{found[0][1].context_after[:40]}"
            ),
            "tokens": len(found),
            "max": max((use.coefficient for _, use in found), key=abs),
            "sum": sum(abs(use.coefficient) for _, use in found),
            "where": " ".join(visible_token(token.text).strip() for token, _ in found[:12]),
        }
        for atom, found in uses.items()
    ]
    table = pd.DataFrame(rows, columns=["atom", "token", "common", "context", "tokens", "max", "sum", "where"])
    table = no_minus_zero(table, 2)
    return table.sort_values(["tokens", "sum"], ascending=False, ignore_index=True)
