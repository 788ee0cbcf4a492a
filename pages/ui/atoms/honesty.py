"""Whether an atom's label says where the atom fires: one grade in words, each figure beside chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from itda_core.errors import UserError
from itda_core.figures import honesty as words
from pages.ui.components.plain_text import fact_table, notice, problem
from pages.ui.frame import atoms_engine
from pages.ui.frame.atoms_engine import IndexKey
from pages.ui.frame.engine import DictionaryKey

if TYPE_CHECKING:
    from itda_core.analysis.atoms.honesty.grades import AtomHonesty


def of_atom(key: DictionaryKey, index_of: IndexKey, n_atoms: int, atom: int) -> AtomHonesty | None:
    """Draws the grade and what it rests on; gives it, if it was measured."""
    from itda_core.analysis.atoms.honesty.grades import of_atom as found_of

    st.markdown("**Does its label tell where it fires?**", help=words.ABOUT)
    try:
        tallies = atoms_engine.tallies(index_of, n_atoms)
    except UserError as error:
        problem(error, kind="warning", key="atoms.honesty.problem")
        tallies = None
    if tallies is None:
        _measure(key, index_of)
        return None
    found = found_of(tallies, atom)
    kind = "warning" if found.grade == "label misleads" else "info"
    notice(f"{words.sentence(found.grade)}.", step=_rests_on(found), kind=kind, key="atoms.honesty")
    fact_table(words.in_common(found), key="atoms.honesty.facts")
    return found


def _rests_on(found: AtomHonesty) -> str:
    return f"By {found.examples:,} of the strongest quarter of its {found.entries:,} uses."


def _measure(key: DictionaryKey, index_of: IndexKey) -> None:
    """Offers to measure all atoms, which is done once."""
    st.caption("Not measured yet for this index. It takes some seconds to a few minutes, once for all atoms.")
    if not st.button("Measure all labels", icon=":material/fact_check:", key="atoms.honesty.measure"):
        return
    bar = st.progress(0.0, text="Measuring the labels of all atoms…")

    def shown(share: float) -> None:
        bar.progress(min(share, 1.0), text="Measuring the labels of all atoms…")

    try:
        atoms_engine.measure_honesty(key, index_of, shown)
    except UserError as error:
        bar.empty()
        problem(error, key="atoms.honesty.measure.problem")
        return
    st.rerun()


def of_dictionary(key: DictionaryKey, index_of: IndexKey, n_atoms: int) -> None:
    """The share of each grade; where nothing was measured, the way to it."""
    from itda_core.analysis.atoms.honesty.grades import of_dictionary as found_of

    try:
        tallies = atoms_engine.tallies(index_of, n_atoms)
    except UserError as error:
        problem(error, kind="warning", key="atoms.honesty.problem")
        tallies = None
    with st.expander(words.TITLE, icon=":material/fact_check:"):
        if tallies is None:
            _measure(key, index_of)
            return
        st.caption(words.ABOUT)
        fact_table(words.graded(found_of(tallies)), key="atoms.honesty.shares")
