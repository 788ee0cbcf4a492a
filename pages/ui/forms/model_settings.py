"""How a model is fetched and where it runs: the same questions in every form."""

from __future__ import annotations

from typing import Any, NamedTuple

import streamlit as st

from itda_core.models.spec import DEMO_MODELS, DTYPES, PLACEMENTS, ModelSpec
from itda_core.runs.faults import Faults
from pages.ui.forms import kept

_PLACEMENT_WORDS = {
    "auto": "auto: where they fit",
    "memory": "memory: all on the device",
    "spread": "spread: GPUs, memory, disk",
    "stream": "stream: one block at a time",
}


class Loading(NamedTuple):
    """How a model is fetched and where it runs, under the names that every request has for it."""

    device: str
    dtype: str
    placement: str
    offline: bool
    trust_remote_code: bool


FIELDS = ("device", "dtype", "placement", "offline", "trust_remote_code")  # as faults name them
ADDRESS = ("device", "dtype", "placement", "offline")  # no link consents to running code


def spec(name: str, revision: str | None, how: Loading, faults: Faults) -> ModelSpec | None:
    """The model `name`; what is wrong with how it is named or loaded goes to `faults`."""
    values = {"model": name, "revision": revision, **how._asdict()}
    return faults.made(_spec, values, instead={"model": DEMO_MODELS[0]})


def _spec(model: str, **how: Any) -> ModelSpec:
    return ModelSpec(model, **how)


def is_offline(form: str) -> bool:
    """What `offline` gives, where that is drawn further down."""
    return kept.asked("offline", key=f"{form}.offline")


def loading(form: str) -> Loading:
    """All of it, for a model that is loaded whole. `form` begins the keys of the widgets."""
    left, middle, right = st.columns(3)
    with left:
        where = device(form)
    with middle:
        dtype = precision(form)
    with right:
        weights = placement(form, streams=False)
    return Loading(where, dtype, weights, offline(form), trust(form))


def device(form: str) -> str:
    """Where it runs. `form` begins the keys of its widgets."""
    given = kept.text("device", "Device", "auto", key=f"{form}.device", help="auto, cpu, cuda, cuda:0, … or mps")
    return given or "auto"


def precision(form: str) -> str:
    """The dtype it runs in."""
    return kept.choice(
        "dtype",
        "Precision",
        DTYPES,
        key=f"{form}.dtype",
        help="In which the model runs; auto keeps what it was saved in, on a CPU float32.",
    )


def placement(form: str, *, streams: bool = True) -> str:
    """Where the weights go while it runs. streams: whether the work can read one block of the model at a time."""
    help = "Spread lets accelerate use every GPU, main memory and the disk. "
    if streams:
        help += (
            "Stream reads each block from the disk once, for the whole text, so that a model of any size can be read; "
            "auto streams what fits nowhere. The dictionaries are the same."
        )
    else:
        help += "Auto does so where the model does not fit on the device. The figures are the same up to rounding."
    return kept.choice(
        "placement",
        "Weights",
        [kind for kind in PLACEMENTS if streams or kind != "stream"],
        format_func=lambda kind: _PLACEMENT_WORDS[kind],
        key=f"{form}.placement",
        help=help,
    )


def offline(form: str) -> bool:
    """Whether the Hub may not be asked."""
    return kept.toggle(
        "offline",
        "Use only what is on this machine",
        key=f"{form}.offline",
        help="Nothing is fetched from the Hub: neither a model nor a text.",
    )


def trust(form: str) -> bool:
    """Whether Python code of the model's authors may run. Asked anew on each visit to the page; no address says so."""
    return st.toggle(
        "Run Python code that comes with the model",
        key=f"{form}.trust",
        help="Needed by few models. Such code can do anything on this machine: only for authors you trust.",
    )
