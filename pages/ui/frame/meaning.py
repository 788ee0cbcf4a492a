"""Which dictionary a name means: names are given again, so a link may hold the beginning of an identity beside each.

`?dictionary=NAME&id=1a2b3c4d` is one dictionary, `?dictionaries=A~B&ids=1a2b3c4d~5e6f7a8b` are several, and
`?beside=C&beside_id=9a8b7c6d` is the second one of a page. What a name
without an identity means is what it meant when this tab last drew a page: what was renamed in another tab is found, and
what has its name since is not taken for it. A tab that has drawn nothing yet goes by the name alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from itda_core.runs.identities import Whereabouts, beginning, is_beginning, whereabouts
from itda_core.runs.library import LibraryEntry
from pages.ui.frame import address
from pages.ui.frame.address import MARK, Listed

ID, IDS = "id", "ids"  # of `?dictionary=`, and of each in a list
BESIDE, BESIDE_ID = "beside", "beside_id"  # a second dictionary, and its identity
_LISTS = ("dictionaries", "labels")  # values of an address that name several dictionaries
_BEFORE, _NOW, _RENAMED = "meaning.before", "meaning.now", "meaning.renamed"


def begin(usable: Sequence[LibraryEntry]) -> None:
    """A page is drawn from here on, with these dictionaries; one's own come before bundled ones of the same name."""
    st.session_state[_BEFORE] = st.session_state.get(_NOW, {})
    st.session_state[_NOW] = {entry.name: entry.identity for entry in reversed(usable)}
    st.session_state[_RENAMED] = {}


def of(name: str, identity: str | None, usable: Sequence[LibraryEntry]) -> Whereabouts:
    """The dictionary that `name` means, `identity` (or its beginning) being what the link says beside it.

    Asked in every run of the page's script, so that a name goes on meaning what it meant.
    """
    name = next((entry.name for entry in usable if str(entry.path) == name), name)
    expected = identity or st.session_state.get(_BEFORE, {}).get(name)
    if expected is None:
        called = next((entry for entry in usable if entry.name == name), None)
        return Whereabouts(name, None, called, taken=False)
    found = whereabouts(usable, name, expected)
    st.session_state.setdefault(_NOW, {})[name] = expected if found.entry is None else found.entry.identity
    if found.entry is not None and found.entry.name != name:
        st.session_state.setdefault(_RENAMED, {})[name] = found.entry.name
    return found


def several(names: str, usable: Sequence[LibraryEntry]) -> list[Whereabouts]:
    """The dictionaries that a list in the address means, with the identities that stand beside it, if there are any."""
    given = [name for name in names.split(MARK) if name]
    identities = [one if is_beginning(one) else None for one in address.query.get(IDS, "").split(MARK)]
    if len(identities) != len(given):
        identities = [None] * len(given)
    return [of(name, identity, usable) for name, identity in zip(given, identities, strict=True)]


def called_now(name: str) -> str:
    """What is called so now that the address calls `name`."""
    return st.session_state.get(_RENAMED, {}).get(name, name)


def choose(name: str, identity: str | None = None) -> None:
    """The address asks for the dictionary `name`: the one of this identity, or what is called so now, whatever the name
    meant before.
    """
    known: dict[str, str | None] = st.session_state.setdefault(_NOW, {})
    known.pop(name, None)
    if identity is not None:
        known[name] = identity
    address.query["dictionary"] = address.writable(name)
    address.query.pop(ID, None)


def choose_several(entries: Sequence[LibraryEntry] = ()) -> None:
    """A list in the address means these from now on: the identities that stand beside it are of what was there."""
    st.session_state.setdefault(_NOW, {}).update({entry.name: entry.identity for entry in entries})
    address.query.pop(IDS, None)


def choose_second(entry: LibraryEntry | None) -> None:
    """`?beside=` means this one from now on: the identity that stands beside it is of what was there."""
    if entry is not None:
        st.session_state.setdefault(_NOW, {})[entry.name] = entry.identity
    address.query.pop(BESIDE_ID, None)


def with_identities(values: Mapping[str, object], usable: Sequence[LibraryEntry]) -> dict[str, object]:
    """The values of an address to be shared, with the names of now and the identity of every dictionary in it."""
    by_name = {entry.name: entry for entry in reversed(usable)}
    shared: dict[str, object] = {}
    for key, value in values.items():
        shared[key] = value
        if key == "dictionary" and str(value) in by_name:
            shared[ID] = beginning(by_name[str(value)].identity)
        elif key in _LISTS and value:
            names = Listed(called_now(one) for one in str(value).split(MARK))
            identities = [beginning(by_name[one].identity) if one in by_name else None for one in names]
            shared |= {key: names, IDS: Listed(one or "" for one in identities) if any(identities) else None}
    return shared


def identity(text: str) -> str:
    """A parser of what an address may hold as an identity."""
    if not is_beginning(text):
        raise address.Refused("is not the identity of a dictionary (8 or more of 0-9 and a-f)")
    return text
