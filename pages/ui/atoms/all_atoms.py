"""The page of all atoms: their table, their map, and the list that a lasso makes."""

from __future__ import annotations

import json

import streamlit as st

from itda_core.files.csv_export import csv_text
from itda_core.files.writing import finite
from itda_core.runs.atoms.notes import Notes
from itda_core.runs.library import LibraryEntry
from pages.ui.atoms import atom_map, browse, honesty, indexed, kept, making, search
from pages.ui.frame import address, shell
from pages.ui.frame.address import kept_choice
from pages.ui.frame.atoms_engine import AtomRows, IndexKey
from pages.ui.frame.engine import DictionaryKey

_BUT_THE_LASSO = (
    "This address shows what you see now, but for the lasso: it lists all atoms. Export takes along those inside it:"
)


def all_atoms(frame: shell.Shell, entry: LibraryEntry, key: DictionaryKey, index_of: IndexKey | None) -> None:
    """The atoms of a dictionary, as a table or as a map with the table of those that a lasso holds."""
    complaints = st.container()
    rows, index_of = indexed.rows_or_reason(key, index_of)
    notes = kept.notes_of(entry)
    search.search(entry, frame.entries)
    shown = kept_choice("Show", "show", {"table": "Table", "map": "Map"}, key="atoms.show")
    among = atom_map.chosen_by_lasso(key)
    if shown == "map":
        atom_map.atom_map(entry, key, rows, index_of, indexed.grades_or_reason(index_of, len(rows)))
    if among is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Only the {len(among):,} atoms inside the lasso are listed.", width="stretch")
            st.button("List all", on_click=atom_map.forget_lasso, key="atoms.lasso.forget")
    grades = indexed.grades_or_reason(index_of, len(rows))
    found = browse.table(key, rows, notes, grades, among)
    if index_of is not None:
        honesty.of_dictionary(key, index_of, len(rows))
        making.offer(entry, title="Index more text, or another one")
    with complaints:
        shell.complain()
    names = ("show", *search.ADDRESS, *browse.ADDRESS, *atom_map.ADDRESS)
    shown_now = {"dictionary": entry.name, **{name: address.query.get(name) for name in names}}
    frame.share(shown_now) if among is None else frame.share(shown_now, about=_BUT_THE_LASSO)
    frame.export(exports(entry, rows, notes, found.tolist()))


def exports(entry: LibraryEntry, rows: AtomRows, notes: Notes, atoms: list[int]) -> shell.Files:
    """The atoms that are listed, in their order, to take along."""
    header = ["atom", "order", "token", "context_before", "context_after", "document", "labels", "error", *rows.used]

    def values(atom: int) -> list[object]:
        texts = [rows.token[atom], rows.before[atom], rows.after[atom], rows.document[atom]]
        numbers = [
            int(rows.labels[atom]),
            float(rows.error[atom]),
            *(float(rows.used[name][atom]) for name in rows.used),
        ]
        note = notes.of(atom)
        return [atom, int(rows.order[atom]), *texts, *numbers, note.star, note.text]

    def as_json() -> str:
        listed = [dict(zip([*header, "star", "note"], values(atom), strict=True)) for atom in atoms]
        about = {"dictionary": entry.name, "identity": entry.identity, "atoms": listed}
        return json.dumps(finite(about), indent=2, ensure_ascii=False)

    return {
        "CSV": (
            f"{entry.name}-atoms.csv",
            "text/csv",
            lambda: csv_text([*header, "star", "note"], [[*values(atom)] for atom in atoms]),
        ),
        "JSON": (f"{entry.name}-atoms.json", "application/json", as_json),
    }
