"""One's own notes and stars on an atom, and on all of them."""

from __future__ import annotations

import streamlit as st

from itda_core.errors import UserError
from itda_core.runs.atoms.notes import MOST_CHARACTERS, Notes, keep_note, read_notes
from itda_core.runs.library import LibraryEntry
from pages.ui.components.plain_text import notice, problem

_REFUSED = "atoms.note.refused"


def notes_of(entry: LibraryEntry) -> Notes:
    """The notes there are on a dictionary's atoms; where they are damaged, that is said."""
    found = read_notes(entry.identity)
    if found.problem:
        problem(UserError(found.problem), kind="warning", key="atoms.notes.problem")
    elif found.unreadable:
        notice(
            f"{found.unreadable} of the notes on this dictionary cannot be read and are left out.",
            step="Before the next note is written, their file is put aside under another name.",
            kind="warning",
            key="atoms.notes.unreadable",
        )
    return found


def star(entry: LibraryEntry, atom: int, notes: Notes) -> None:
    """The button that gives a star, or takes it away."""
    starred = notes.of(atom).star
    st.button(
        "Starred" if starred else "Star",
        icon=":material/star:" if starred else ":material/star_border:",
        type="primary" if starred else "secondary",
        key="atoms.star",
        on_click=_keep,
        args=(entry.identity, atom),
        kwargs={"star": not starred},
        help="Starred atoms are marked in the table of all atoms. Stars and notes are kept on this machine and go "
        "along when the dictionary is exported.",
    )


def note(entry: LibraryEntry, atom: int, notes: Notes) -> None:
    """The field for a note."""
    key = f"atoms.note.{entry.identity}.{atom}"

    def changed() -> None:
        _keep(entry.identity, atom, text=st.session_state[key])

    st.text_area(
        "Your note",
        notes.of(atom).text,  # not set in the session: a browser that draws the field anew is to show it in any case
        key=key,
        on_change=changed,
        height=110,
        max_chars=MOST_CHARACTERS,
        placeholder="What do you make of this atom?",
        help="Kept when you pause, leave the field or press Ctrl+Enter.",
    )
    if (refused := st.session_state.pop(_REFUSED, None)) is not None:
        problem(refused, key="atoms.note.problem")


def _keep(identity: str | None, atom: int, *, star: bool | None = None, text: str | None = None) -> None:
    if identity is None:
        return
    try:
        keep_note(identity, atom, star=star, text=text)
    except UserError as error:
        st.session_state[_REFUSED] = error
