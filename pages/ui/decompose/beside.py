"""A second dictionary beside the one that is shown: the same prompt, token, k and pursuit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st

from itda_core.analysis.beside import counterpart
from itda_core.analysis.centring import not_over_the_same
from itda_core.analysis.decompose import Decomposition, TokenDecomposition
from itda_core.analysis.shortfall import why_fewer
from itda_core.errors import UserError
from itda_core.runs.identities import Whereabouts
from itda_core.runs.library import LibraryEntry
from pages.ui.components.atom_list import atom_list
from pages.ui.components.plain_text import heading, notice
from pages.ui.components.printable import visible, visible_token
from pages.ui.decompose import parts
from pages.ui.frame import address, engine, meaning, shell

_BESIDE, _ID, _ATOM = "decompose.beside", "decompose.beside_id", "decompose.beside_atom"
WIDGETS = (_BESIDE,)


class Second(NamedTuple):
    """What the second column shows."""

    shown: Decomposition | None  # None where the second dictionary could not read the prompt
    opened: int | None  # its atom that is open


def choose(first: LibraryEntry, listed: Sequence[LibraryEntry]) -> LibraryEntry | None:
    """The dictionary of `?beside=`, whatever it is called now, and a field to choose one: any but `first`, which is
    open already.
    """
    usable = engine.usable(listed)
    by_name = {one.name: one for one in reversed(usable)}
    identity = address.arrive(meaning.BESIDE_ID, _ID, meaning.identity, None)
    asked = address.query.get(meaning.BESIDE)
    found = None if asked is None else meaning.of(asked, identity, usable)

    def parse(_: str) -> str | None:
        if found is None:
            return None
        if found.entry is None:
            raise address.Refused(_why_none(found, usable))
        if found.change:
            address.complain(found.change)
        return found.entry.name

    known = tuple((one.name, one.identity) for one in by_name.values())
    within = (known, address.query.get(meaning.BESIDE_ID))  # a name that was given again is read again
    address.arrive(meaning.BESIDE, _BESIDE, parse, None, within=within)
    if st.session_state[_BESIDE] == first.name:
        address.complain(f"{first.name} is open already, so it is not put beside itself.")
        st.session_state[_BESIDE] = None
    st.selectbox(
        "Beside it",
        [one.name for one in usable if one.name != first.name],
        key=_BESIDE,
        index=None,
        format_func=visible,
        placeholder="Put a second dictionary beside it",
        label_visibility="collapsed",
    )
    name = st.session_state[_BESIDE]
    second = None if name is None else by_name[name]
    if address.leave(meaning.BESIDE, _BESIDE, name, None):
        meaning.choose_second(second)
    return second


def _why_none(gone: Whereabouts, usable: Sequence[LibraryEntry]) -> str:
    """Why nothing is put beside it, as half a sentence: never another dictionary that has its name now."""
    if gone.taken:
        return (
            "means another dictionary than the one that is called so now: it was deleted, or it is on another machine "
            "(choose the one that is called so now if you mean it)"
        )
    return f"is no dictionary of the library{engine.nearest_hint(gone.name, usable)}"


def column(
    entry: LibraryEntry, shown: Decomposition, token: TokenDecomposition, view: parts.View, *, unfolded: bool
) -> Second:
    """What `entry` makes of the same token."""
    try:
        key = engine.key_of(entry.path)
        with st.spinner("Loading the second dictionary and its model…", show_time=True):
            other = engine.decomposition(key, shown.prompt, view.k, view.method, view.non_negative)
    except UserError as error:
        heading(entry.name, key="decompose.beside.name")
        shell.failed(error, key="decompose.beside.problem")
        return Second(None, None)
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
        return Second(other, None)
    opened = _opened(key)
    parts.measures(other, there.token, key="beside")
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
        on_open=partial(parts.open_atom, key),
    )
    return Second(other, opened)


def say_apart(first: LibraryEntry, shown: Decomposition, second: LibraryEntry, told: Second) -> None:
    """That the relative errors and cosines of the two are on two scales, where they are."""
    if told.shown is not None:
        named = [(visible(first.name), shown.centred), (visible(second.name), told.shown.centred)]
        if said := not_over_the_same(named):
            notice(said, step="Evaluate measures FVU.", key="decompose.beside.apart")


def _opened(key: engine.DictionaryKey) -> int | None:
    """The atom whose places are read in the second list."""
    last = len(engine.dictionary(key)) - 1
    atom = address.arrive("beside_atom", _ATOM, address.whole(0, last), None, within=key.path)
    address.leave("beside_atom", _ATOM, atom, None)
    return atom


def _open(atom: int | None) -> None:
    st.session_state[_ATOM] = atom
