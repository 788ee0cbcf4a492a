"""Whether a dictionary's labels tell where its atoms fire: the share of each grade, and figures beside chance."""

from __future__ import annotations

import streamlit as st

from itda_core.analysis.atoms.honesty.grades import DictionaryHonesty, Measure
from itda_core.analysis.atoms.honesty.tallies import MEASURES
from itda_core.errors import UserError
from itda_core.figures_as_text import figure
from itda_core.runs.library import LibraryEntry
from pages.ui.components.plain_text import fact_table, problem
from pages.ui.frame import atoms_engine

ABOUT = (
    "Each atom's grade goes by the quarter of its tokens where its coefficient is largest by size, the label's own "
    "place left out; of the same tokens is counted what they have in common with the label. By chance: what labels "
    "permuted among the atoms would give."
)


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
    st.markdown("**Do its labels tell where its atoms fire?**", help=ABOUT)
    with st.container(key="wrapping.library.honesty"):
        left, right = st.columns(2, gap="large")
    with left:
        fact_table(graded(found), title="Atoms of each grade", key="library.honesty.grades")
    with right:
        fact_table(in_common(found), title="In common with the label", key="library.honesty.in_common")


def graded(found: DictionaryHonesty) -> dict[str, str]:
    """How many atoms have each grade, in words; the second share is weighted by use."""
    return {
        one.grade[:1].upper() + one.grade[1:]: f"{one.atoms:,} ({percent(one.share)}), "
        f"{percent(one.share_of_use)} of use"
        for one in found.grades
    }


def in_common(found: DictionaryHonesty) -> dict[str, str]:
    """How often the tokens on which atoms fire most have something in common with the label, in words."""
    every = {name: getattr(found.strongest, name) for name in MEASURES}
    return {name.replace("_", " ").capitalize(): _words(one) for name, one in every.items() if one is not None}


def _words(one: Measure) -> str:
    lift = "" if one.lift is None else f" ({times(one.lift)}×)"
    return f"{percent(one.share)}, by chance {percent(one.chance)}{lift}"


def percent(value: float) -> str:
    """A share, 0 to 1, in percent; small ones with a decimal."""
    return figure(value, ".1%" if value < 0.1 else ".0%")


def times(value: float) -> str:
    """A lift; small ones with a decimal."""
    return figure(value, ".1f" if value < 10 else ",.0f")
