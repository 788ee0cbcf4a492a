"""Which atom the page is about."""

from __future__ import annotations

import streamlit as st

from pages.ui.frame import address
from pages.ui.frame.engine import DictionaryKey

ATOM = "atoms.atom"


def arrive(key: DictionaryKey, n_atoms: int) -> int | None:
    """The atom of `?atom=`; None for the page of all atoms, also where the dictionary has no such atom: that is said as
    long as the address asks for it."""
    atom = address.arrive("atom", ATOM, lambda given: _atom(given, n_atoms), None, within=key.path)
    address.leave("atom", ATOM, atom, None)
    given = address.query.get("atom")
    if atom is None and given is not None:
        address.complain(f"There is no atom {given[:40]}; this dictionary has atoms 0 to {n_atoms - 1:,}.")
    return atom


def _atom(given: str, n_atoms: int) -> int | None:
    try:
        return address.whole(0, n_atoms - 1)(given)
    except address.Refused:
        return None


def choose(atom: int | None) -> None:
    """Another atom is to be shown; None: all of them."""
    st.session_state[ATOM] = atom
    address.query.pop("example", None)  # another atom fires elsewhere
