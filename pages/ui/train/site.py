"""Of which model a training reads the activations, and where in it."""

from __future__ import annotations

import streamlit as st

from itda_core.errors import UserError
from itda_core.models.sites import TABLE
from itda_core.models.spec import DEMO_MODELS, ModelSpec
from itda_core.runs.costs.model_figures import ModelFigures, model_figures

_SOURCES = ("Bundled", "Local folder", "Hugging Face")
_MODULE = "module path"
_SITE_WORDS = {**{kind.name: f"{kind.name}: {kind.words}" for kind in TABLE}, _MODULE: "a module by its path"}


def choose_model() -> tuple[str, str | None, bool]:
    """Draws the choice: name, revision, and whether it is a bundled one."""
    source = st.segmented_control(
        "Where the model is",
        _SOURCES,
        default=_SOURCES[0],
        required=True,
        key="train.model.source",
        persist_state="session",
        label_visibility="collapsed",
    )
    if source == "Bundled":
        name = st.selectbox(
            "Bundled model",
            DEMO_MODELS,
            key="train.model.demo",
            persist_state="session",
            help="Five small language models of one architecture that differ only in their seed.",
        )
        return name, None, True
    if source == "Local folder":
        name = st.text_input(
            "Model folder",
            key="train.model.folder",
            persist_state="session",
            placeholder="/path/to/a/hugging-face/model",
            help="A folder with config.json, a fast tokenizer and safetensors weights.",
        )
        return name.strip(), None, False
    left, right = st.columns([3, 1])
    name = left.text_input(
        "Hugging Face id", key="train.model.hub", persist_state="session", placeholder="EleutherAI/pythia-70m"
    )
    revision = right.text_input("Revision", key="train.model.revision", persist_state="session", placeholder="main")
    return name.strip(), revision.strip() or None, False


def figures_of(model: str) -> ModelFigures | None:
    """A model's size, if it is on this machine, read without loading it; None where that cannot be known yet."""
    if not model:
        return None
    try:
        return model_figures(ModelSpec(model))
    except UserError:
        return None  # said beside the Start button, where the estimate runs into the same


def choose_site() -> str:
    """Draws the choice: a kind of site, or the path of a module."""
    site = st.selectbox(
        "Site",
        list(_SITE_WORDS),
        format_func=_SITE_WORDS.__getitem__,
        key="train.site",
        persist_state="session",
        help="Where in each block the activations are read.",
    )
    if site != _MODULE:
        return site
    return st.text_input(
        "Module path", value="transformer.h.{layer}.mlp", key="train.module", persist_state="session"
    ).strip()


def choose_layers(model: str) -> str:
    """Draws the choice, as a person writes it: `0,2-4` or `all`; "" where none was chosen."""
    known = figures_of(model)
    if known is None:
        return st.text_input(
            "Layers", value="all", key="train.layers.text", persist_state="session", help="Such as 0,2-4 or all."
        ).strip()
    count = known.n_layers
    chosen = st.multiselect(
        "Layers",
        range(count),
        default=[count // 2],
        format_func=lambda layer: f"{layer}",
        key=f"train.layers.{count}",
        persist_state="session",
        help="Several layers are trained in one pass over the text, one dictionary each.",
    )
    return ",".join(str(layer) for layer in sorted(chosen))
