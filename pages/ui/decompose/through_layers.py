"""One prompt through the layers of its model: the same kind of dictionary, one layer up or down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from itda_core.runs.library import LibraryEntry
from itda_core.runs.through_layers import through_layers
from pages.ui.components.layer_stepper import layer_stepper
from pages.ui.decompose.parts import Pinned, View, default_k, let_go, pin_again
from pages.ui.effects.why import Layers
from pages.ui.frame import address, meaning, shell

# What steps led through, the one that is shown last: the path of a dictionary -> what was pinned as it was left. A step
# goes by it, not by what the run that drew the stepper had shown: the run of the step before may have been broken off.
_TRAIL = "decompose.trail"


def stepper(entry: LibraryEntry, listed: Sequence[LibraryEntry], view: View) -> None:
    """Draws the layers that have such a dictionary, if there are several."""
    if not _trail(entry):
        st.session_state[_TRAIL] = {entry.path: None}
    found = of(entry, listed)
    if len(found) < 2 or entry.layer is None:
        return

    def step(layer: int) -> None:
        go_to(found[layer], listed, view, pinned_again=True)

    names = {layer: one.name for layer, one in found.items()}
    layer_stepper(names, chosen=entry.layer, on_pick=step, key="decompose.layers")


def of(entry: LibraryEntry, listed: Sequence[LibraryEntry]) -> dict[int, LibraryEntry]:
    """Layer -> the dictionary of that layer most like `entry`, or that steps led through; `entry` among them."""
    return through_layers(entry, listed, _seen(entry, listed))


def for_effects(entry: LibraryEntry, listed: Sequence[LibraryEntry], view: View) -> Layers:
    """The layers' dictionaries for "Why the next token", whose cells lead to them."""

    def go(to: LibraryEntry, token: int, behind: int) -> None:
        go_to(to, listed, view, token=token, behind=behind)

    return Layers(entry, of(entry, listed), go)


def _trail(entry: LibraryEntry) -> dict[Path, Pinned | None]:
    """What steps led through to `entry`; nothing where it was come to otherwise."""
    trail: dict[Path, Pinned | None] = st.session_state.get(_TRAIL, {})
    return trail if trail and list(trail)[-1] == entry.path else {}


def _seen(entry: LibraryEntry, listed: Sequence[LibraryEntry]) -> list[LibraryEntry]:
    """The dictionaries that steps led through to `entry`: a step back leads to them, not to others of their layers."""
    trail = _trail(entry)
    return [one for one in listed if one.path in trail]


def go_to(
    entry: LibraryEntry,
    listed: Sequence[LibraryEntry],
    view: View,
    *,
    pinned_again: bool = False,
    **more: object,
) -> None:
    """From the dictionary that is shown to that of another layer, in this page's address; for callbacks.

    Prompt, token, k and pursuit stay, the pinned atom does not; pinned_again: the one that was pinned when steps led
    through `entry` is again. more: what else the address is to say. All is written at once: each write is a step for
    the browser's Back.
    """
    trail: dict[Path, Pinned | None] = st.session_state[_TRAIL]
    trail[list(trail)[-1]] = let_go()
    if pinned_again and (pinned := trail.get(entry.path)) is not None:
        more |= pin_again(pinned)
    passed = {one.path: trail[one.path] for one in listed if one.path in trail and one.layer != entry.layer}
    st.session_state[_TRAIL] = passed | {entry.path: None}
    values = dict(address.query)
    values.pop("atom", None)  # an atom's number means nothing in another dictionary
    values.pop(meaning.ID, None)  # of the dictionary that one leaves: beside the new name it would lead back to it
    values["dictionary"] = address.writable(entry.name)
    for name, value, own in (("k", view.k, default_k(entry)), ("method", view.method, entry.method)):
        values.pop(name, None)
        if value != own:
            values[name] = str(value)
    shell.chosen_elsewhere(entry.name)
    address.query.set_to(values | address.query_of(more))
