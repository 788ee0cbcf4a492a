"""The colours the reader's browser shows the studio in."""

from __future__ import annotations

import streamlit as st


def is_dark() -> bool:
    """Whether the reader's browser shows the studio in its dark colours."""
    return st.context.theme.type == "dark"
