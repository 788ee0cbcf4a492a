"""What the compare page compares: dictionaries by name, or all of some models and layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import streamlit as st

from itda_core.comparison.natural_order import natural
from itda_core.dictionaries.selections import COMPARING, is_for
from itda_core.runs.library import LibraryEntry
from pages.ui.components.printable import visible
from pages.ui.forms import dictionary_choice
from pages.ui.frame import shell
from pages.ui.frame.address import Listed

_DICTIONARIES = "compare.dictionaries"
OPEN = "compare.choose"
_CORPUS, _MODELS, _LAYERS = "compare.corpus", "compare.models", "compare.layers"


def choose(frame: shell.Shell) -> list[LibraryEntry]:
    """The chosen dictionaries, in the library's order: by model, then layer. They are in the address as well."""
    by_name = {entry.name: entry for entry in ordered(dictionary_choice.by_names(frame.entries).values())}
    default = Listed(entry.name for entry in default_entries(frame.chosen, list(by_name.values())))
    names = dictionary_choice.asked(by_name, default, key=_DICTIONARIES)
    with st.expander(
        "Choose what is compared: dictionaries, or models and layers",
        icon=":material/checklist:",
        key=OPEN,
        on_change="rerun",
    ) as box:
        if not box.open:  # a page that nobody chooses on is there sooner without these fields
            return [entry for entry in by_name.values() if entry.name in names]
        names = dictionary_choice.choose(
            "Dictionaries", by_name, default, key=_DICTIONARIES, help="At least two, built on the same corpus."
        )
        st.caption(
            "Or choose all dictionaries of a corpus, some models and some layers (none chosen means all; of the "
            "bundled ones, those for comparing):"
        )
        corpus, models, layers, button = st.columns([3, 4, 2, 2], vertical_alignment="bottom")
        with corpus:
            corpora = list(dict.fromkeys(entry.corpus for entry in by_name.values() if entry.corpus))
            st.selectbox("Corpus", corpora, format_func=visible, key=_CORPUS, persist_state="session")
        with models:
            known = list(dict.fromkeys(entry.model for entry in by_name.values() if entry.model))
            st.multiselect("Models", known, format_func=visible, key=_MODELS, placeholder="All")
        with layers:
            numbers = sorted({entry.layer for entry in by_name.values() if entry.layer is not None})
            st.multiselect("Layers", numbers, key=_LAYERS, placeholder="All")
        button.button("Take these", key="compare.take", on_click=_take, args=(by_name,), width="stretch")
    return [entry for entry in by_name.values() if entry.name in names]


def is_default(entries: Sequence[LibraryEntry], frame: shell.Shell) -> bool:
    """Whether they are the bundled ones for comparing: then a link needs not name them, for every studio has them."""
    return [entry.path for entry in entries] == [entry.path for entry in _bundled(ordered(frame.entries))]


def _take(by_name: Mapping[str, LibraryEntry]) -> None:
    state = st.session_state
    state[_DICTIONARIES] = [
        entry.name
        for entry in _own_and_for_comparing(by_name.values())
        if entry.corpus == state[_CORPUS]
        and (not state[_MODELS] or entry.model in state[_MODELS])
        and (not state[_LAYERS] or entry.layer in state[_LAYERS])
    ]


def ordered(entries: Iterable[LibraryEntry]) -> list[LibraryEntry]:
    """By corpus, model, site and layer; what has none of these by name, numbers in it as numbers."""
    return sorted(
        entries,
        key=lambda entry: (
            entry.corpus or "",
            natural(entry.model or ""),
            entry.site or "",
            -1 if entry.layer is None else entry.layer,
            natural(entry.name),
        ),
    )


def default_entries(chosen: LibraryEntry | None, usable: Sequence[LibraryEntry]) -> list[LibraryEntry]:
    """All of the chosen dictionary's corpus and site: the bundled ones for a bundled one. If it is the only one of its
    kind, all bundled ones, or all there are. Of the bundled ones only those for comparing.
    """
    bundled = _bundled(usable)
    if chosen is None or chosen.bundled:
        return bundled
    alike = [
        entry for entry in _own_and_for_comparing(usable) if (entry.corpus, entry.site) == (chosen.corpus, chosen.site)
    ]
    return alike if len(alike) > 1 else bundled or list(usable)


def _own_and_for_comparing(entries: Iterable[LibraryEntry]) -> list[LibraryEntry]:
    """One's own, and of the bundled ones those for comparing; in the order in which they are given."""
    listed = list(entries)
    bundled = _bundled(listed)
    return [entry for entry in listed if not entry.bundled or entry in bundled]


def _bundled(entries: Iterable[LibraryEntry]) -> list[LibraryEntry]:
    """Those for comparing; labels of another selection lie elsewhere even where two models agree."""
    bundled = [entry for entry in entries if entry.bundled]
    return [entry for entry in bundled if is_for(entry.selection, COMPARING)] or bundled
