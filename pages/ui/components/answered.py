"""Which click or key of a component the server has answered last: till then the browser keeps what was chosen since.

Keys may be faster than the server. Its answer to the first of three would otherwise take the other two back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

_SUFFIX = ".answered"


def answered(key: str) -> str | None:
    """The id of the last choice of the component `key` that was answered, for its script."""
    return st.session_state.get(key + _SUFFIX)


def choice(key: str) -> Mapping[str, Any] | None:
    """What was chosen in the component `key`, which counts as answered from now on; None where nothing was."""
    hit = st.session_state[key].get("pick")
    if hit is not None:
        st.session_state[key + _SUFFIX] = hit.get("at")
    return hit
