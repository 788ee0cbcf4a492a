"""The pages there are, and the ways from one to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui.frame import address

# A page is its script, a row in PAGES (its file, its address, its icon) and its place in the sidebar, GROUPS.
PAGES = {
    "Home": ("app.py", "", ":material/home:"),
    "Train": ("pages/train.py", "train", ":material/model_training:"),
    "Library": ("pages/library.py", "library", ":material/folder_open:"),
    "Decompose": ("pages/decompose.py", "decompose", ":material/account_tree:"),
    "Compare": ("pages/compare.py", "compare", ":material/compare_arrows:"),
    "Evaluate": ("pages/evaluate.py", "evaluate", ":material/query_stats:"),
}
GROUPS = (("", ("Home",)), ("Build", ("Train", "Library")), ("Explore", ("Decompose", "Compare", "Evaluate")))
_SHOWN = "navigation.shown"


def arrive(name: str) -> None:
    """The page `name` is the one that is shown from here on."""
    st.session_state[_SHOWN] = name


def open_page(name: str, values: Mapping[str, Any]) -> None:
    """Goes to another page with an address of its own."""
    st.switch_page(PAGES[name][0], query_params=address.query_of(values))


def way(name: str, label: str, icon: str, values: Mapping[str, Any], *, key: str) -> None:
    """A link to a page with an address of its own; the page may be another one or the one that is shown.

    Streamlit's links leave the browser's address as it was where they lead to the page they stand on; the next click
    would then bring back what was shown before. There it is a button.
    """
    given = address.query_of(values)
    if st.session_state[_SHOWN] != name:
        st.page_link(PAGES[name][0], label=label, icon=icon, query_params=given or None)
    elif st.button(label, icon=icon, type="tertiary", key=key):
        open_page(name, given)
