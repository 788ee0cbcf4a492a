"""Atoms found by token, by words around it, by where they fire, or by a prompt; each with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from itda_core.errors import UserError
from itda_core.fingerprints import same_model
from itda_core.runs.library import LibraryEntry
from pages.ui.atoms import chosen
from pages.ui.atoms.browse import Label
from pages.ui.components.atom_table import Column, Row, atom_table
from pages.ui.components.plain_text import notice, problem
from pages.ui.components.printable import visible
from pages.ui.frame import address, atoms_search, engine, navigation
from pages.ui.frame.address import kept_choice
from pages.ui.frame.atoms_search import Sought

if TYPE_CHECKING:
    from itda_core.analysis.atoms.search import Found

ADDRESS = ("q", "by", "in")
RESULTS = 50
_Q = "atoms.q"
_BY = {"token": "Token", "context": "Words around it", "firing": "Where it fires", "prompt": "A whole text"}
_HELP = (
    "Token: of the label, or the word it is a piece of. Words around it: in the label's context. Where it fires: atoms "
    "that tokens of these words use more often than other tokens do, ranked by a lower limit of how many times as "
    "often. A whole text: the atoms that it uses most, and more than usual: ranked by their share of its norm, times "
    "the logarithm of how many times the usual that is. Capitals and accents make no difference."
)


def search(entry: LibraryEntry, listed: Sequence[LibraryEntry]) -> None:
    """The box, and what was found."""
    address.arrive("q", _Q, str, "")
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        st.text_input("Search", key=_Q, placeholder="a token, words, or a text", icon=":material/search:", width=420)
        by = kept_choice("Look for", "by", _BY, key="atoms.by", help=_HELP)
        family = _family(entry, listed)
        where = "this"
        if len(family) > 1:
            offered = {"this": "This dictionary", "all": f"All {len(family)} of its model"}
            where = kept_choice("In", "in", offered, key="atoms.in")
    query = st.session_state[_Q]
    address.leave("q", _Q, query, "")
    if not query.strip():
        return
    sought = [Sought(one.name, engine.key_of(one.path)) for one in (family if where == "all" else [entry])]
    try:
        with st.spinner("Searching…", show_time=True):
            found = atoms_search.search(tuple(sought), query, by, RESULTS)
    except UserError as error:
        problem(error, kind="warning", key="atoms.search.problem")
        return
    if not found:
        notice("No atom was found.", step="Look for other words, or in another way.", key="atoms.search.none")
        return
    _results(entry, found, several=where == "all")


def _family(entry: LibraryEntry, listed: Sequence[LibraryEntry]) -> list[LibraryEntry]:
    """The dictionaries of the same weights, this one first."""
    if not entry.fingerprint:
        return [entry]
    others = [one for one in engine.usable(listed) if one.fingerprint and one.path != entry.path]
    return [entry, *(one for one in others if same_model(str(one.fingerprint), str(entry.fingerprint)))]


def _results(entry: LibraryEntry, found: Sequence[Found], *, several: bool) -> None:
    columns = [
        *([Column("dictionary", "dictionary", "11rem", number=False, sorts=False)] if several else []),
        Column("atom", "atom", "4rem", sorts=False),
        Column("label", "label in its context", "minmax(12rem, 1fr)", number=False, sorts=False),
        Column("why", "why", "minmax(12rem, 0.9fr)", number=False, sorts=False),
    ]
    rows = [
        Row(
            place,
            Label(one.label, "", "") if one.labels > 1 else one,
            {"dictionary": visible(one.dictionary), "atom": f"{one.atom:,}", "why": visible(one.why)},
        )
        for place, one in enumerate(found)
    ]

    def opened(place: int) -> None:
        one = found[place]
        if one.dictionary == entry.name:
            chosen.choose(one.atom)
        else:
            navigation.open_next("Atoms", {"dictionary": one.dictionary, "atom": one.atom})

    more = "the first " if len(found) == RESULTS else ""
    st.caption(f"Found: {more}{len(found)} atom{'' if len(found) == 1 else 's'}, the best first. A row opens its atom.")
    atom_table(columns, rows, empty="", on_open=opened, key="atoms.found", label="Atoms that were found")
    st.divider()
