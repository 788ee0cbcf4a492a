"""A choice among a few words that is in the page's address."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.ui.frame import address


def kept_choice(label: str, name: str, choices: Mapping[str, str], *, key: str, help: str = "") -> str:
    """One of `choices` (what the address calls it -> what the reader does); the first is the default."""
    default = next(iter(choices))
    address.arrive(name, key, address.one_of(*choices), default)
    chosen = st.segmented_control(
        label, list(choices), format_func=choices.__getitem__, key=key, required=True, help=help or None
    )
    address.leave(name, key, chosen, default)
    return chosen or default
