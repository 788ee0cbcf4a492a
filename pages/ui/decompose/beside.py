"""A second dictionary beside the one that is shown: the same prompt, token, k and pursuit."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from itda_core.analysis.beside import counterpart
from itda_core.analysis.decompose import Decomposition, TokenDecomposition
from itda_core.analysis.shortfall import why_fewer
from itda_core.errors import UserError
from itda_core.runs.library import LibraryEntry
from pages.ui.components.atom_list import atom_list
from pages.ui.components.plain_text import heading, notice
from pages.ui.components.printable import visible, visible_token
from pages.ui.decompose import parts
from pages.ui.frame import address, engine, shell

_BESIDE, _ATOM = "decompose.beside", "decompose.beside_atom"


def choose(listed: Sequence[LibraryEntry]) -> LibraryEntry | None:
    """The dictionary of `?beside=`, and a field to choose one."""
    by_name = {one.name: one for one in reversed(engine.usable(listed))}

    def parse(text: str) -> str:
        if text not in by_name:
            near = engine.nearest(text, list(by_name.values()))
            raise address.Refused(f"is no dictionary of the library{f' (the nearest is {near[0].name})' * bool(near)}")
        return text

    name = address.arrive("beside", _BESIDE, parse, None, within=tuple(by_name))
    st.selectbox(
        "Beside it",
        [one.name for one in engine.usable(listed)],
        key=_BESIDE,
        index=None,
        format_func=visible,
        placeholder="Put a second dictionary beside it",
        label_visibility="collapsed",
    )
    name = st.session_state[_BESIDE]
    address.leave("beside", _BESIDE, name, None)
    return None if name is None else by_name[name]


def column(
    entry: LibraryEntry, shown: Decomposition, token: TokenDecomposition, view: parts.View, *, unfolded: bool
) -> int | None:
    """What `entry` makes of the same token; its atom that is open."""
    try:
        key = engine.key_of(entry.path)
        with st.spinner("Loading the second dictionary and its model…", show_time=True):
            other = engine.decomposition(key, shown.prompt, view.k, view.method, view.non_negative)
    except UserError as error:
        heading(entry.name, key="decompose.beside.name")
        shell.failed(error, key="decompose.beside.problem")
        return None
    heading(entry.name, under=parts.origin(other), key="decompose.beside.name")
    there = counterpart(shown, token, other)
    if not there.same_tokens:
        notice(
            f"{other.model} reads this prompt in other tokens than {shown.model}.",
            step="Shown is its token that ends at the same character."
            if there.token is not None
            else "None of its tokens ends where the chosen one does; choose another token.",
            key="decompose.beside.tokens",
        )
    if there.token is None:
        return None
    opened = _opened(key)
    parts.measures(there.token, key="beside")
    atom_list(
        there.token.atoms,
        title=f"Atoms of token {there.token.index}",
        token=visible_token(there.token.text),
        pinned=opened,
        facts=lambda use: parts.facts_of(key, other, use),
        on_pick=_open,
        key="decompose.beside.atoms",
        note=why_fewer(there.token, other.k, other.method, non_negative=other.non_negative),
        unfolded=unfolded,
        on_unfold=parts.unfold,
    )
    return opened


def _opened(key: engine.DictionaryKey) -> int | None:
    """The atom whose places are read in the second list."""
    last = len(engine.dictionary(key)) - 1
    atom = address.arrive("beside_atom", _ATOM, address.whole(0, last), None, within=key.path)
    address.leave("beside_atom", _ATOM, atom, None)
    return atom


def _open(atom: int | None) -> None:
    st.session_state[_ATOM] = atom
