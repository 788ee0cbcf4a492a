"""Which atom the page is about."""

from __future__ import annotations

import streamlit as st

from pages.ui.frame import address
from pages.ui.frame.engine import DictionaryKey

ATOM = "atoms.atom"


def arrive(key: DictionaryKey, n_atoms: int) -> int | None:
    """The atom of `?atom=`; None for the page of all atoms."""
    atom = address.arrive("atom", ATOM, address.whole(0, n_atoms - 1), None, within=key.path)
    address.leave("atom", ATOM, atom, None)
    return atom


def choose(atom: int | None) -> None:
    """Another atom is to be shown; None: all of them."""
    st.session_state[ATOM] = atom
