"""The colours the reader's browser shows the studio in."""

from __future__ import annotations

import streamlit as st


def is_dark() -> bool:
    return st.context.theme.type == "dark"
