"""What most people leave as it is: folded away, unless the address says that something in it is otherwise."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.frame import address


def more_settings(form: str, names: Iterable[str]) -> DeltaGenerator:
    """The box for these settings of a form; `names` are what the address calls them.

    It is open where the page is come to with one of them set, and stays as its reader left it from then on.
    """
    key, visit = f"{form}.more.opened", address.visit()
    seen_in, opened = st.session_state.get(key, (None, False))
    opened = (opened and seen_in == visit) or any(value is not None for value in address.held(names).values())
    st.session_state[key] = (visit, opened)
    return st.expander("More settings", icon=":material/tune:", expanded=opened)
