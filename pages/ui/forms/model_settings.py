"""How a model is fetched and where it runs: the same questions in every form."""

from __future__ import annotations

import streamlit as st

from itda_core.models.spec import DTYPES, PLACEMENTS

_PLACEMENT_WORDS = {
    "auto": "auto: where they fit",
    "memory": "memory: all on the device",
    "spread": "spread: GPUs, memory, disk",
    "stream": "stream: one block at a time",
}


def device(form: str) -> str:
    """Where it runs. `form` begins the keys of its widgets."""
    given = st.text_input(
        "Device",
        value="auto",
        key=f"{form}.device",
        persist_state="session",
        help="auto, cpu, cuda, cuda:0, … or mps",
    )
    return given.strip() or "auto"


def precision(form: str) -> str:
    """The dtype it runs in."""
    return st.selectbox(
        "Precision",
        DTYPES,
        key=f"{form}.dtype",
        persist_state="session",
        help="In which the model runs; auto keeps what it was saved in, on a CPU float32.",
    )


def placement(form: str) -> str:
    """Where the weights go while a training runs."""
    return st.selectbox(
        "Weights",
        PLACEMENTS,
        format_func=lambda kind: _PLACEMENT_WORDS[kind],
        key=f"{form}.placement",
        persist_state="session",
        help="Spread lets accelerate use every GPU, main memory and the disk. Stream reads each block from the disk "
        "once, for the whole text, so that a model of any size can be read; auto streams what fits nowhere. The "
        "dictionaries are the same.",
    )


def offline(form: str) -> bool:
    """Whether the Hub may not be asked."""
    return st.toggle(
        "Use only what is on this machine",
        key=f"{form}.offline",
        persist_state="session",
        help="Nothing is fetched from the Hub: neither a model nor a text.",
    )


def trust(form: str) -> bool:
    """Whether Python code of the model's authors may run. Asked anew on each visit to the page."""
    return st.toggle(
        "Run Python code that comes with the model",
        key=f"{form}.trust",
        help="Needed by few models. Such code can do anything on this machine: only for authors you trust.",
    )
