"""One prompt through the layers of its model: the same kind of dictionary, one layer up or down."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from itda_core.runs.library import LibraryEntry
from itda_core.runs.through_layers import through_layers
from pages.ui.components.layer_stepper import layer_stepper
from pages.ui.decompose.parts import View, default_k
from pages.ui.frame import address, meaning, shell

_TRAIL = "decompose.trail"  # the paths of the dictionaries that steps led through, the one that is shown last


def stepper(entry: LibraryEntry, listed: Sequence[LibraryEntry], view: View) -> None:
    """Draws the layers that have such a dictionary, if there are several."""
    seen = _seen(entry, listed)
    found = through_layers(entry, listed, seen)
    if len(found) < 2 or entry.layer is None:
        return

    def step(layer: int) -> None:
        passed = [one.path for one in (*seen, entry) if one.layer != layer]
        st.session_state[_TRAIL] = [*passed, found[layer].path]
        _go_to(found[layer], view)

    names = {layer: one.name for layer, one in found.items()}
    layer_stepper(names, chosen=entry.layer, on_pick=step, key="decompose.layers")


def _seen(entry: LibraryEntry, listed: Sequence[LibraryEntry]) -> list[LibraryEntry]:
    """The dictionaries that steps led through to `entry`: a step back leads to them, not to others of their layers.

    Where `entry` was come to otherwise, there are none.
    """
    trail = st.session_state.get(_TRAIL, [])
    if not trail or trail[-1] != entry.path:
        return []
    return [one for one in listed if one.path in trail]


def _go_to(entry: LibraryEntry, view: View) -> None:
    """Another dictionary in this page's address: prompt, token, k and pursuit stay, the pinned atom does not.

    All is written at once: each write is a step for the browser's Back.
    """
    values = dict(st.query_params.to_dict())
    values.pop("atom", None)  # an atom's number means nothing in another dictionary
    values.pop(meaning.ID, None)  # of the dictionary that one leaves: beside the new name it would lead back to it
    values["dictionary"] = address.writable(entry.name)
    for name, value, own in (("k", view.k, default_k(entry)), ("method", view.method, entry.method)):
        values.pop(name, None)
        if value != own:
            values[name] = str(value)
    shell.chosen_elsewhere(entry.name)
    st.query_params.from_dict(values)
