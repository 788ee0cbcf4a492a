"""The pages there are, and the ways from one to another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import streamlit as st

from pages.ui.components.component import component
from pages.ui.frame import address

# A page is its script, a row in PAGES (its file, its address, its icon) and its place in the sidebar, GROUPS.
PAGES = {
    "Home": ("app.py", "", ":material/home:"),
    "Train": ("pages/train.py", "train", ":material/model_training:"),
    "Library": ("pages/library.py", "library", ":material/folder_open:"),
    "Decompose": ("pages/decompose.py", "decompose", ":material/account_tree:"),
    "Atoms": ("pages/atoms.py", "atoms", ":material/scatter_plot:"),
    "Compare": ("pages/compare.py", "compare", ":material/compare_arrows:"),
    "Evaluate": ("pages/evaluate.py", "evaluate", ":material/query_stats:"),
}
GROUPS = (("", ("Home",)), ("Build", ("Train", "Library")), ("Explore", ("Decompose", "Atoms", "Compare", "Evaluate")))
# What a visitor chose on a page goes along wherever a link leads there, unless the link asks for something else.
_VISITORS = {
    "Decompose": (
        "prompt",
        "token",
        "k",
        "method",
        "signs",
        "special",
        "atom",
        "colour",
        "small",
        "beside",
        "beside_id",
        "beside_atom",
    )
}
_SHOWN, _DICTIONARY, _LAST = "navigation.shown", "navigation.dictionary", "navigation.last"
_NEXT = "navigation.next"
_FILLED, _RUN = "navigation.filled", "navigation.run"
_typed_first = component("typed_first")


def arrive(name: str) -> None:
    """The page `name` is the one that is shown from here on."""
    if st.session_state.get(_SHOWN) != name:
        st.session_state[_SHOWN] = name
        address.come_to()


def typed_first() -> None:
    """What was typed into a field of this page is looked at before a link that is clicked next leaves it.

    Nothing is drawn. The part is told of each run by a number of its own.
    """
    st.session_state[_RUN] = run = st.session_state.get(_RUN, 0) + 1
    with st.container(key="typed-first"):
        _typed_first(data={"run": run}, key="navigation.typed_first")


def choose(dictionary: str | None, *, default: bool) -> None:
    """`dictionary` is the chosen one: every link leads to it, and names it unless it is the default and unchosen."""
    st.session_state[_DICTIONARY] = None if default else dictionary


def remember(name: str, values: Mapping[str, object]) -> None:
    """Keeps what of `values` the address of the page `name` asks for now, and the dictionary it is about.

    The identity of a second dictionary is kept also where the address does not say it: by the time of a way back, its
    name may mean another one.
    """
    which = ("dictionary", "id")  # said anew by every link
    asked_for = {value: text for value, text in address.query.items() if value in values and value not in which}
    if "beside" in asked_for and values.get("beside_id") is not None:
        asked_for["beside_id"] = str(values["beside_id"])
    st.session_state.setdefault(_LAST, {})[name] = (st.session_state.get(_DICTIONARY), asked_for)


def fill(form: str, values: Iterable[str]) -> None:
    """Keeps what of `values` the address asks for now: what the form of a kind of job holds."""
    asked_for = {name: address.query[name] for name in values if name in address.query and name != "dictionary"}
    st.session_state.setdefault(_FILLED, {})[form] = asked_for


def filled(form: str, empty: Mapping[str, str]) -> dict[str, str]:
    """The address of the form of a kind of job as it was last filled in; `empty`: that of the empty one."""
    return {**empty, **st.session_state.get(_FILLED, {}).get(form, {})}


def query(name: str, values: Mapping[str, Any], *, back: bool = False) -> dict[str, str]:
    """The address's values for a link to the page `name` that asks for `values`.

    The chosen dictionary and the visitor's prompt, token, k and pursuit go along; `back` brings back all that was seen
    on the page.
    """
    given = address.query_of(values)
    chosen = st.session_state.get(_DICTIONARY)
    about, last = st.session_state.get(_LAST, {}).get(name, (None, {}))
    found = {value: text for value, text in last.items() if back or value in _VISITORS.get(name, ())}
    if "job" in given:  # which has its own
        found = {}
    if given.get("dictionary", chosen) != about:
        found.pop("atom", None)  # an atom's number means nothing in another dictionary
    if "prompt" in given and given["prompt"] != found.get("prompt"):
        found.pop("token", None)
    if chosen is not None:
        found["dictionary"] = chosen
    return found | given


def open_page(name: str, values: Mapping[str, Any]) -> None:
    """Goes to another page with an address of its own."""
    st.switch_page(PAGES[name][0], query_params=query(name, values))


def open_next(name: str, values: Mapping[str, Any]) -> None:
    """For callbacks, which cannot leave a page themselves: its next run goes there, before it draws anything."""
    st.session_state[_NEXT] = (name, dict(values))


def follow() -> None:
    """Goes where `open_next` has said, if it has."""
    if (there := st.session_state.pop(_NEXT, None)) is not None:
        open_page(*there)


def link(
    name: str,
    values: Mapping[str, Any],
    *,
    label: str | None = None,
    icon: str | None = None,
    back: bool = False,
    width: Literal["content", "stretch"] = "content",
) -> None:
    """A link to another page with an address of its own; the page's own name and icon if no others are given."""
    file, _, own_icon = PAGES[name]
    given = query(name, values, back=back) or None
    st.page_link(file, label=label or name, icon=icon or own_icon, query_params=given, width=width)


def way(name: str, label: str, icon: str, values: Mapping[str, Any], *, key: str) -> None:
    """A link to a page with an address of its own; the page may be another one or the one that is shown.

    Streamlit's links leave the browser's address as it was where they lead to the page they stand on; the next click
    would then bring back what was shown before. There it is a button.
    """
    if st.session_state[_SHOWN] != name:
        link(name, values, label=label, icon=icon)
    elif st.button(label, icon=icon, type="tertiary", key=key):
        open_page(name, values)
