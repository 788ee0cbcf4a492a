"""The page of one atom."""

from __future__ import annotations

from functools import partial

import streamlit as st

from itda_core.runs.library import LibraryEntry
from pages.ui.atoms import about, around, chosen, exports, fires, honesty, indexed, kept
from pages.ui.atoms.own_text import OWN, own_text
from pages.ui.components.atom_stepper import atom_stepper
from pages.ui.effects import on_example
from pages.ui.frame import address, atoms_engine, engine, navigation, shell
from pages.ui.frame.atoms_engine import IndexKey
from pages.ui.frame.engine import DictionaryKey


def one_atom(frame: shell.Shell, entry: LibraryEntry, key: DictionaryKey, index_of: IndexKey | None, atom: int) -> None:
    """All that is known of `atom`."""
    dictionary = engine.dictionary(key)
    labels = dictionary.labels(atom)
    found = indexed.use_or_reason(key, index_of, atom)
    notes = kept.notes_of(entry)
    _ways(entry, atom, len(dictionary), notes)
    about.title(labels, dictionary, entry.name)
    complaints = st.container()
    with st.container(key="wrapping.atoms.about"):
        left, right = st.columns([5, 3], gap="large")
    with left:
        about.label_in_context(labels)
    described = honest = None
    if found is not None and index_of is not None:
        described = atoms_engine.index(index_of, len(dictionary)).description
        with right:
            about.figures(found.usage, described)
        with left:
            honest = honesty.of_atom(key, index_of, len(dictionary), atom)
    with right:
        kept.note(entry, atom, notes)
    effects: dict[str, object] = {}
    if found is None or not found.usage.tokens:
        address.not_drawn(*on_example.WIDGETS)
    if found is not None and described is not None and index_of is not None:
        if found.usage.tokens:
            fires.where_it_fires(key, index_of, found)
            effects = on_example.draw(entry, key, index_of, found)
            about.charts(found.usage)
        else:
            about.dead(described)
    rows, index_of = indexed.rows_or_reason(key, index_of)
    with st.container(key="wrapping.atoms.around"):
        columns = st.columns(2, gap="large")
    with columns[0]:
        around.neighbours(key, rows, atom)
    with columns[1]:
        writing = st.container()
        if found is not None and found.usage.tokens and index_of is not None:
            around.together(key, rows, index_of, atom)
    prompt = own_text(key, atom)
    with complaints:
        shell.complain()
    frame.share({"dictionary": entry.name, "atom": atom, OWN: prompt, **_view(), **effects})
    with columns[0] if index_of is not None else writing:  # last, because the model may have to be loaded
        writes = around.writes(key, index_of, atom, bundled=entry.bundled)
    report = partial(atoms_engine.report, key, index_of if found is not None else None, atom, entry.name, writes)
    frame.export(exports.exports(entry, labels, notes.of(atom), found, described, report, honest))


def _ways(entry: LibraryEntry, atom: int, count: int, notes: kept.Notes) -> None:
    """To all atoms, to the next ones, to Decompose; and the star."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("All atoms", icon=":material/apps:", key="atoms.all", on_click=chosen.choose, args=(None,))
        with st.container(width="content"):
            atom_stepper(atom, count, on_pick=chosen.choose, key="atoms.stepper")
        kept.star(entry, atom, notes)
        there = {"dictionary": entry.name, "atom": atom}
        navigation.link("Decompose", there, label="Pin it in Decompose")


def _view() -> dict[str, object]:
    return {name: address.query.get(name) for name in (*fires.ADDRESS, *around.ADDRESS)}
