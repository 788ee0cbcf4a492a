"""Several dictionaries of the library, chosen on a page and named in its address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from itda_core.runs.library import LibraryEntry
from pages.ui.components.printable import visible
from pages.ui.frame import address, engine

MARK = "~"  # between names in the address: no name of the library holds it


class Listed(tuple[str, ...]):
    """Several words, and how the address writes them."""

    def __str__(self) -> str:
        return MARK.join(self)


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
    address.leave(name, key, chosen, default)
    return chosen


def asked(by_name: Mapping[str, LibraryEntry], default: Listed, *, key: str, name: str = "dictionaries") -> Listed:
    """The dictionaries of `?name=`, as `choose` would show them, where its field is not drawn."""

    def parse(text: str) -> Listed:
        given = [one for one in text.split(MARK) if one]
        for one in given:
            if one not in by_name:
                near = engine.nearest(one, list(by_name.values()))
                hint = f" (the nearest is {near[0].name})" if near else ""
                address.complain(f"The library has no dictionary called {one[:60]!r}{hint}; it was left out.")
        return Listed(one for one in dict.fromkeys(given) if one in by_name)

    return Listed(address.arrive(name, key, parse, default, within=(tuple(by_name), default)))
