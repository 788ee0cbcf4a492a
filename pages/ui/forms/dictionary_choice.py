"""Several dictionaries of the library, chosen on a page and named in its address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from itda_core.runs.identities import Whereabouts
from itda_core.runs.library import LibraryEntry
from pages.ui.components.printable import visible
from pages.ui.frame import address, engine, meaning
from pages.ui.frame.address import Listed


def by_names(entries: Sequence[LibraryEntry]) -> dict[str, LibraryEntry]:
    """Those that can be used, by name; one's own before a bundled one of the same name."""
    return {entry.name: entry for entry in reversed(engine.usable(entries))}


def choose(
    label: str,
    by_name: Mapping[str, LibraryEntry],
    default: Listed,
    *,
    key: str,
    help: str,
    name: str = "dictionaries",
) -> Listed:
    """The dictionaries of `?name=`, and a field to choose others. Unknown names are complained of."""
    asked(by_name, default, key=key, name=name)
    chosen = Listed(
        st.multiselect(
            label, list(by_name), format_func=visible, key=key, placeholder="Choose one or several", help=help
        )
    )
    if address.leave(name, key, chosen, default):
        meaning.choose_several([by_name[one] for one in chosen])
    return chosen


def asked(by_name: Mapping[str, LibraryEntry], default: Listed, *, key: str, name: str = "dictionaries") -> Listed:
    """The dictionaries of `?name=`, as `choose` would show them, where its field is not drawn."""
    found = meaning.several(address.query.get(name) or "", list(by_name.values()))

    def parse(_: str) -> Listed:
        for one in found:
            if one.entry is None:
                address.complain(_missing(one, by_name))
            elif one.change:
                address.complain(one.change)
        return Listed(dict.fromkeys(one.entry.name for one in found if one.entry is not None))

    known = tuple((entry.name, entry.identity) for entry in by_name.values())
    within = (known, default, address.query.get(meaning.IDS))
    return Listed(address.arrive(name, key, parse, default, within=within))


def _missing(one: Whereabouts, by_name: Mapping[str, LibraryEntry]) -> str:
    """Why a name in the address was left out, as a sentence."""
    if one.taken:
        return (
            f"The link means another {one.name[:60]!r} than the one that is called so now; it is not in this library "
            "(deleted, or on another machine) and was left out. Choose the other one if you mean it."
        )
    hint = engine.nearest_hint(one.name, list(by_name.values()))
    return f"The library has no dictionary called {one.name[:60]!r}{hint}; it was left out."
