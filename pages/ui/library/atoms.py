"""What is known of a dictionary's atoms in the library: its index, and whether its labels tell where atoms fire."""

from __future__ import annotations

import streamlit as st

from itda_core.errors import UserError
from itda_core.figures_as_text import figure
from itda_core.runs.library import LibraryEntry
from pages.ui.components.plain_text import fact_table
from pages.ui.components.printable import visible
from pages.ui.frame import atoms_engine, navigation


def facts(entry: LibraryEntry) -> dict[str, str]:
    """The index and the share of each grade of honesty, in words; {} where there is no index that can be read."""
    try:
        known = atoms_engine.index_summary(entry.identity)
    except UserError:  # the page of atoms says what is wrong with it
        return {}
    if known is None:
        return {}
    about, honesty = known
    found = {"Atom index": f"{about.tokens:,} tokens of {visible(about.corpus)} ({about.text})"}
    grades = honesty.get("grades", ()) if honesty is not None else ()
    for one in grades:
        words = f"{figure(one['share'], '.0%')} of atoms, {figure(one['share_of_use'], '.0%')} of all use"
        found[f"{one['grade'][:1].upper()}{one['grade'][1:]}"] = words
    return found


def shown(entry: LibraryEntry) -> None:
    """The facts, and the way to the atoms."""
    found = facts(entry)
    if not found:
        return
    with st.expander("Where its atoms fire, and whether their labels say so", icon=":material/scatter_plot:"):
        fact_table(found, key="library.atoms")
        if len(found) == 1:
            st.caption("Whether the labels tell where the atoms fire was not measured yet.")
        navigation.link("Atoms", {"dictionary": entry.name}, label="Read its atoms")
