"""The choice of a pursuit, which looks the same wherever it is asked for: one of them, one or none, or several."""

from __future__ import annotations

import streamlit as st

from itda_core.dictionaries.config import METHODS
from itda_core.pursuit.methods import NOTES
from pages.ui.frame import address

_ABOUT = f"How the atoms of a token are found. {NOTES}"


def pursuit(key: str) -> str:
    """One pursuit."""
    chosen = st.segmented_control(
        "Pursuit",
        METHODS,
        format_func=str.upper,
        key=key,
        required=True,
        default=None if key in st.session_state else METHODS[0],
        help=_ABOUT,
    )
    return chosen or METHODS[0]


def kept_pursuit(key: str) -> str:
    """One pursuit, which the page's address holds as `method`."""
    address.arrive("method", key, address.one_of(*METHODS), METHODS[0], within=METHODS)
    chosen = pursuit(key)
    address.leave("method", key, chosen, METHODS[0])
    return chosen


def kept_pursuit_or_none(key: str, *, without: str) -> str | None:
    """One pursuit, or none, which the page's address holds as `method`; without: what is taken then, as a sentence."""
    address.arrive("method", key, address.one_of(*METHODS), None, within=METHODS)
    chosen = st.segmented_control("Pursuit", METHODS, format_func=str.upper, key=key, help=f"{without} {_ABOUT}")
    address.leave("method", key, chosen, None)
    return chosen


def pursuits(key: str) -> tuple[str, ...]:
    """Several pursuits, in the table's order."""
    chosen = st.segmented_control(
        "Pursuits (one or several)",
        METHODS,
        selection_mode="multi",
        format_func=str.upper,
        key=key,
        help=_ABOUT,
    )
    return tuple(method for method in METHODS if method in chosen)
