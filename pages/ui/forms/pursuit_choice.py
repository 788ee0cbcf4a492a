"""The choice of a pursuit, which looks the same wherever it is asked for: one of them, one or none, or several."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from itda_core.dictionaries.config import METHODS
from itda_core.pursuit.methods import NOTES

_ABOUT = f"How the atoms of a token are found. {NOTES}"


def pursuit(key: str, *, persist: Literal["session"] | None = None) -> str:
    """One pursuit."""
    chosen = st.segmented_control(
        "Pursuit",
        METHODS,
        format_func=str.upper,
        key=key,
        required=True,
        default=None if key in st.session_state else METHODS[0],
        persist_state=persist,
        help=_ABOUT,
    )
    return chosen or METHODS[0]


def pursuit_or_none(key: str, *, without: str) -> str | None:
    """One pursuit, or none; without: what is taken then, as a sentence."""
    return st.segmented_control(
        "Pursuit", METHODS, format_func=str.upper, key=key, persist_state="session", help=f"{without} {_ABOUT}"
    )


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
