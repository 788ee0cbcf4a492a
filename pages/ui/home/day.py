"""The atom of the day: one of a bundled dictionary, another one every day, the same for everybody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import streamlit as st

from itda_core.dictionaries.selections import READING, is_for
from itda_core.errors import UserError
from itda_core.runs.library import LibraryEntry
from pages.ui.components.label_list import label_list
from pages.ui.frame import engine, navigation

_LOOK_AGAIN = 1.0  # seconds, while what a dictionary needs is still being loaded
_STRIDE = 7_919  # a prime: neighbouring days have atoms far from each other
_WAITED = "home.day.waited"
_FIRST = 3  # labels that are shown


class OfTheDay(NamedTuple):
    """Which atom of which dictionary."""

    entry: LibraryEntry
    atom: int


def of_the_day(listed: Sequence[LibraryEntry], day: date) -> OfTheDay | None:
    """The atom of `day` among the bundled dictionaries for reading, or all bundled ones where none is for that."""
    bundled = sorted((one for one in listed if one.bundled and one.atoms), key=lambda one: one.name)
    bundled = [one for one in bundled if is_for(one.selection, READING)] or bundled
    if not bundled:
        return None
    number = day.toordinal()
    entry = bundled[number % len(bundled)]
    return OfTheDay(entry, number * _STRIDE % (entry.atoms or 1))


def atom_of_the_day(listed: Sequence[LibraryEntry]) -> None:
    """Its label and the way to its page, once that takes no time."""
    found = of_the_day(engine.usable(listed), date.today())
    if found is not None:
        st.fragment(_draw, run_every=_LOOK_AGAIN if _loading(listed) else None)(found, listed)


def _loading(listed: Sequence[LibraryEntry]) -> bool:
    default = engine.default_entry([one for one in engine.usable(listed) if one.bundled])
    try:
        return default is not None and engine.warm_up(engine.key_of(default.path)).is_alive()
    except UserError:  # whoever opens it is told
        return True


def _draw(found: OfTheDay, listed: Sequence[LibraryEntry]) -> None:
    if _loading(listed):
        st.session_state[_WAITED] = True
        return
    if st.session_state.pop(_WAITED, False):
        st.rerun()  # ends the looking-again
    try:
        labels = engine.dictionary(engine.key_of(found.entry.path)).labels(found.atom)
    except UserError:  # the library says what is wrong with it
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Atom of the day: atom {found.atom} of {found.entry.name}", width="stretch")
            there = {"dictionary": found.entry.name, "atom": found.atom}
            navigation.link("Atoms", there, label="See where it fires")
        label_list(labels[:_FIRST], empty="", key="home.day")
