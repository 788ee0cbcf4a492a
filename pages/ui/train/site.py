"""Of which model a training reads the activations, and where in it."""

from __future__ import annotations

import os
from functools import partial
from typing import NamedTuple

import streamlit as st

from itda_core.errors import UserError
from itda_core.models.folder.model_folder import is_path
from itda_core.models.sites import KINDS, TABLE
from itda_core.models.spec import DEMO_MODELS, ModelSpec
from itda_core.runs.costs.model_figures import ModelFigures, model_figures
from itda_core.runs.jobs.request_options import DEFAULT_SITE
from itda_core.runs.layers import format_layers, parse_layers
from itda_core.runs.library import LibraryEntry
from pages.ui.forms import kept
from pages.ui.frame import address

# What the address calls where the model is -> what the reader does, and the names of what is asked there.
_SOURCES = {"bundled": "Bundled", "folder": "Local folder", "hub": "Hugging Face"}
_ASKED = {"bundled": ("model",), "folder": ("folder",), "hub": ("hub", "revision")}
_SOURCE, _MODEL, _FOLDER = "train.model.source", "train.model.demo", "train.model.folder"
_HUB, _REVISION = "train.model.hub", "train.model.revision"
ADDRESS = ("source", "model", "folder", "hub", "revision", "site", "module", "layers")
_MODULE = "module path"
_SITE_WORDS = {**{kind.name: f"{kind.name}: {kind.words}" for kind in TABLE}, _MODULE: "a module by its path"}


class Proposed(NamedTuple):
    """What the form proposes before anything is chosen."""

    source: str = "bundled"
    name: str = DEMO_MODELS[0]
    revision: str | None = None
    layer: int | None = None  # None: the middle one
    site: str = DEFAULT_SITE


class Chosen(NamedTuple):
    """The model that is chosen."""

    name: str
    revision: str | None
    source: str  # of _SOURCES

    @property
    def bundled(self) -> bool:
        """Whether it came with the studio."""
        return self.source == "bundled"


class _Layers(tuple[int, ...]):
    def __str__(self) -> str:
        return format_layers(self)


def proposed(chosen: LibraryEntry | None) -> Proposed:
    """The model, site and layer of a dictionary that was chosen, as far as its model can be found from here."""
    if chosen is None or not chosen.model:
        return Proposed()
    if chosen.model in DEMO_MODELS:
        source, revision = "bundled", None
    elif os.path.isdir(chosen.model):
        source, revision = "folder", None
    elif is_path(chosen.model):  # to what is not here
        return Proposed()
    else:
        source, revision = "hub", chosen.revision
    if chosen.site not in KINDS:
        return Proposed(source, chosen.model, revision)
    return Proposed(source, chosen.model, revision, chosen.layer, chosen.site)


def choose_model(first: Proposed) -> Chosen:
    """Draws the choice."""
    source = address.kept_choice(
        "Where the model is", "source", _SOURCES, key=_SOURCE, default=first.source, label_hidden=True
    )
    at_first = first.name if first.source == source else ""
    if source == "bundled":
        name = kept.choice(
            "model",
            "Bundled model",
            DEMO_MODELS,
            at_first or DEMO_MODELS[0],
            key=_MODEL,
            help="Five small language models of one architecture that differ only in their seed.",
        )
        return Chosen(name, None, source)
    if source == "folder":
        name = kept.text(
            "folder",
            "Model folder",
            at_first,
            key=_FOLDER,
            placeholder="/path/to/a/hugging-face/model",
            help="A folder with config.json, a fast tokenizer and safetensors weights.",
        )
        return Chosen(name, None, source)
    left, right = st.columns([3, 1])
    with left:
        name = kept.text("hub", "Hugging Face id", at_first, key=_HUB, placeholder="EleutherAI/pythia-70m")
    with right:
        usual = first.revision or "" if at_first and name == at_first else ""
        revision = kept.text("revision", "Revision", usual, key=_REVISION, placeholder="main")
    return Chosen(name, revision or None, source)


def shared(model: Chosen, layers: str) -> dict[str, object]:
    """What a link says of them: it may be opened where no dictionary, or another one, is chosen."""
    known = figures_of(model.name)
    usual = "all" if known is None else f"{known.n_layers // 2}"
    named = {"source": model.source, **dict(zip(_ASKED[model.source], (model.name, model.revision), strict=False))}
    at_first = {"source": "bundled", "model": DEMO_MODELS[0]}
    return {
        **{name: value for name, value in named.items() if value != at_first.get(name)},
        **_shared_site(),
        "layers": None if model.bundled and layers == usual else layers,
    }


def _shared_site() -> dict[str, object]:
    site = st.session_state["train.site"]
    if site == _MODULE:
        return {"site": site, "module": st.session_state["train.module"]}
    return {"site": None if site == DEFAULT_SITE else site}


def figures_of(model: str) -> ModelFigures | None:
    """A model's size, if it is on this machine, read without loading it; None where that cannot be known yet."""
    if not model:
        return None
    try:
        return model_figures(ModelSpec(model))
    except UserError:
        return None  # said beside the Start button, where the estimate runs into the same


def choose_site(first: Proposed) -> str:
    """Draws the choice: a kind of site, or the path of a module."""
    site = kept.choice(
        "site",
        "Site",
        list(_SITE_WORDS),
        first.site,
        format_func=_SITE_WORDS.__getitem__,
        key="train.site",
        help="Where in each block the activations are read.",
    )
    if site != _MODULE:
        return site
    return kept.text("module", "Module path", "transformer.h.{layer}.mlp", key="train.module")


def choose_layers(model: str, first: Proposed) -> str:
    """Draws the choice, as a person writes it: `0,2-4` or `all`; "" where none was chosen."""
    known = figures_of(model)
    usual = first.layer if model == first.name else None
    if known is None:
        default = "all" if usual is None else f"{usual}"
        return kept.text("layers", "Layers", default, key="train.layers.text", help="Such as 0,2-4 or all.")
    count, key = known.n_layers, f"train.layers.{known.n_layers}"
    default = _Layers([count // 2 if usual is None or usual >= count else usual])
    address.arrive("layers", key, partial(_layers_of, count), default, within=(model, default))
    chosen = st.multiselect(
        "Layers",
        range(count),
        format_func=lambda layer: f"{layer}",
        key=key,
        help="Several layers are trained in one pass over the text, one dictionary each.",
    )
    layers = _Layers(sorted(chosen))
    address.leave("layers", key, layers, default)
    return str(layers)


def _layers_of(count: int, text: str) -> _Layers:
    """Those that `text` names, of a model of `count` layers."""
    if not text:  # none is chosen, which is said below the field
        return _Layers()
    try:
        layers = parse_layers(text)
    except UserError:
        raise address.Refused("names no layers such as 0,2-4 or all") from None
    if layers is not None and max(layers) >= count:
        raise address.Refused(f"names a layer that the model does not have (it has 0 to {count - 1})")
    return _Layers(range(count) if layers is None else layers)
