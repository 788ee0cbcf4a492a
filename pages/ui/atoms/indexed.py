"""Whether there is an atom index to read, and what is said where there is none, or none that can be read."""

from __future__ import annotations

import numpy as np
import streamlit as st

from itda_core.errors import UserError
from itda_core.runs.library import LibraryEntry
from pages.ui.atoms import making
from pages.ui.components.plain_text import notice, problem
from pages.ui.frame import atoms_engine, engine
from pages.ui.frame.atoms_engine import IndexKey
from pages.ui.frame.engine import DictionaryKey


def index_or_reason(entry: LibraryEntry, key: DictionaryKey) -> IndexKey | None:
    """The dictionary's index; None, with one sentence on the page and the way to a new one, where it cannot be read."""
    dictionary = engine.dictionary(key)
    try:
        found = atoms_engine.index_key(entry.identity)
        opened = None if found is None else atoms_engine.index(found, len(dictionary))
    except UserError as error:
        problem(error, kind="warning", key="atoms.index.problem")
        making.offer(entry)
        return None
    if found is None or opened is None:
        notice(
            "There is no index yet that says where this dictionary's atoms fire.",
            step="What needs none is shown: labels, neighbours, the map, your own text.",
            key="atoms.no-index",
        )
        making.offer(entry)
        return None
    if changed := atoms_engine.text_changed(found):
        notice(changed, step="Make the index anew to read the text as it is now.", key="atoms.index.changed")
    return found


def use_or_reason(key: DictionaryKey, index_of: IndexKey | None, atom: int) -> atoms_engine.Use | None:
    """Where and how `atom` is used; None, with one sentence on the page, where the index turns out to be damaged."""
    if index_of is None:
        return None
    try:
        return atoms_engine.use(key, index_of, atom)
    except UserError as error:
        problem(error, kind="warning", key="atoms.use.problem")
        return None


def rows_or_reason(key: DictionaryKey, index_of: IndexKey | None) -> tuple[atoms_engine.AtomRows, IndexKey | None]:
    """All atoms, with their use where it can be read; else a sentence on the page."""
    try:
        rows = atoms_engine.rows(key, index_of)
        if index_of is not None:
            atoms_engine.main_kinds(index_of, len(rows))
    except UserError as error:
        problem(error, kind="warning", key="atoms.rows.problem")
        st.session_state.pop("atoms.colour", None)
        return atoms_engine.rows(key, None), None
    return rows, index_of


def grades_or_reason(index_of: IndexKey | None, n_atoms: int) -> np.ndarray | None:
    """Per atom the number of its grade of honesty; None where it was not measured, or cannot be read."""
    try:
        return atoms_engine.grades(index_of, n_atoms)
    except UserError:  # said where honesty is shown
        return None
