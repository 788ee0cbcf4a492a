"""Whether a dictionary's labels tell where its atoms fire: the share of each grade, and figures beside chance."""

from __future__ import annotations

import streamlit as st

from itda_core.errors import UserError
from itda_core.figures import honesty
from itda_core.runs.library import LibraryEntry
from pages.ui.components.plain_text import fact_table, problem
from pages.ui.frame import atoms_engine


def label_honesty(entry: LibraryEntry) -> None:
    """What is known of it, or in one line the way to it."""
    try:
        index_of = atoms_engine.index_key(entry.identity)
        found = None if index_of is None else atoms_engine.honesty(index_of)
    except UserError as error:
        problem(error, kind="warning", key="library.honesty.problem")
        return
    if found is None:
        lacking, way = (
            ("no text was indexed for it yet", "`itda atoms index` makes the index")
            if index_of is None
            else ("they were not measured yet", "`itda atoms honesty` prints it")
        )
        st.caption(
            f"Whether its labels tell where its atoms fire is not known: {lacking}. “Its atoms” offers to do it; in a "
            f"terminal {way}."
        )
        return
    st.markdown(f"**{honesty.TITLE}**", help=honesty.ABOUT)
    with st.container(key="wrapping.library.honesty"):
        left, right = st.columns(2, gap="large")
    with left:
        fact_table(honesty.graded(found), title="Atoms of each grade", key="library.honesty.grades")
    with right:
        fact_table(
            honesty.in_common(found.strongest), title="In common with the label", key="library.honesty.in_common"
        )
