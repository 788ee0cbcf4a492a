"""The form of the train page: everything a training needs, with defaults that work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from itda_core.dictionaries.config import METHODS, SELECTIONS, SINKS, TrainConfig
from itda_core.dictionaries.selections import COMPARING, Selection, selection_named
from itda_core.dictionaries.threshold import RELATIVE_ERROR
from itda_core.errors import UserError
from itda_core.models.spec import ModelSpec
from itda_core.runs.layers import parse_layers
from itda_core.runs.library import LibraryEntry
from itda_core.runs.training.request import TrainRequest
from pages.ui.forms import model_settings
from pages.ui.frame import engine
from pages.ui.train import site as train_site
from pages.ui.train import size as train_size
from pages.ui.train import text as train_text

_DEMO_TOKENS = 100_000
_DEMO_K = 8  # at d_model 128, 40 would leave a dictionary of about a hundred atoms


@dataclass(frozen=True)
class Asked:
    """What the form holds; `request` checks it."""

    model: str
    revision: str | None
    device: str
    dtype: str
    placement: str
    offline: bool
    trust_remote_code: bool
    layers: str
    site: str
    corpus: str
    tokens: int | None
    context: int
    windows: str
    k: int
    method: str
    selection: str
    threshold: float | None
    atoms: int | None
    centre: bool
    seed: int
    sinks: float | None
    keep_activations: bool

    def request(self) -> TrainRequest:
        """Raises UserError for whatever can be seen to be wrong before any work."""
        if not self.corpus:
            raise UserError("No text was chosen yet; upload a file, give a path or use the bundled one.")
        if not self.layers:
            raise UserError("No layer was chosen; choose at least one.")
        model = ModelSpec(
            self.model,
            self.revision,
            self.device,
            self.dtype,
            self.offline,
            self.trust_remote_code,
            self.placement,
        )
        config = TrainConfig(
            k=self.k,
            method=self.method,
            selection=self.selection,
            threshold=self.threshold,
            atoms=self.atoms,
            centre=self.centre,
            tokens=self.tokens,
            context=self.context,
            windows=self.windows,
            seed=self.seed,
            sinks=self.sinks,
        )
        layers = parse_layers(self.layers)
        return TrainRequest(model, layers, self.corpus, config, self.site, keep_activations=self.keep_activations)


def form(entries: Sequence[LibraryEntry]) -> Asked:
    """Draws the form. Its values outlive a visit to another page."""
    st.subheader("Model", anchor=False)
    model, revision, bundled = train_site.choose_model()
    site = train_site.choose_site()
    layers = train_site.choose_layers(model)
    st.subheader("Text", anchor=False)
    text = _text()
    st.subheader("Dictionary", anchor=False)
    dictionary = _dictionary(entries, model, site, bundled=bundled)
    with st.expander("More settings", icon=":material/tune:"):
        more = _more(selection_named(dictionary["selection"]), bundled=bundled)
    return Asked(model=model, revision=revision, layers=layers, site=site, **text, **dictionary, **more)


def _text() -> dict[str, Any]:
    """What is read, and in which pieces: fields of Asked."""
    corpus = train_text.choose()
    left, right = st.columns(2)
    tokens = left.number_input(
        "Tokens to read",
        min_value=0,
        value=_DEMO_TOKENS,
        step=10_000,
        key="train.tokens",
        persist_state="session",
        help="0 reads the whole text.",
    )
    context = right.number_input(
        "Tokens per window",
        min_value=1,
        value=128,
        key="train.context",
        persist_state="session",
        help="Documents are read in windows of at most this many tokens.",
    )
    return {"corpus": corpus, "tokens": int(tokens) or None, "context": int(context)}


def _dictionary(entries: Sequence[LibraryEntry], model: str, site: str, *, bundled: bool) -> dict[str, Any]:
    """By which rule the dictionary grows, and how large: fields of Asked."""
    k_default, threshold_default = _defaults(entries, bundled)
    kind = "bundled" if bundled else "other"
    selection = st.selectbox(
        "Selection",
        SELECTIONS,
        format_func=lambda name: f"{name}: {selection_named(name).words}",
        key="train.selection",
        persist_state="session",
        help="By which rule activations become atoms.",
    )
    rule = selection_named(selection)
    left, middle, right = st.columns(3)
    k = left.number_input(
        "Atoms per token (k)", min_value=1, value=k_default, key=f"train.k.{kind}", persist_state="session"
    )
    with middle:
        if rule.sized:
            threshold, atoms = None, train_size.wanted_atoms()
        else:
            if rule.by_width:
                threshold = train_size.paper_threshold("train.threshold.paper", model, site)
            else:
                threshold = train_size.threshold(f"train.threshold.{kind}", threshold_default)
            with right:
                atoms = train_size.most_atoms("train.atoms")
    return {"k": int(k), "selection": selection, "threshold": threshold, "atoms": atoms}


def _more(rule: Selection, *, bundled: bool) -> dict[str, Any]:
    """What most trainings leave as it is: fields of Asked."""
    left, middle, right = st.columns(3)
    method = left.selectbox("Pursuit", METHODS, format_func=str.upper, key="train.method", persist_state="session")
    windows = middle.selectbox("Windows of a document", ("all", "first"), key="train.windows", persist_state="session")
    seed = middle.number_input("Seed", min_value=0, value=0, key="train.seed", persist_state="session")
    with right:
        device, dtype = model_settings.device("train"), model_settings.precision("train")
        placement = model_settings.placement("train")
    sinks = left.number_input(
        "Attention sinks above",
        min_value=0.0,
        value=0.0 if rule.keeps_sinks else SINKS,
        disabled=rule.keeps_sinks,
        step=1.0,
        format="%g",
        key=f"train.sinks.{'paper' if rule.keeps_sinks else 'other'}",
        persist_state="session",
        help="Tokens whose activation is longer than this many times the median are left out: they say little of the "
        "text and outweigh everything else. 0 leaves out none.",
    )
    keep = st.toggle(
        "Keep the activations on disk",
        key="train.keep",
        persist_state="session",
        help="The next training on the same text, with another threshold or selection, more tokens or fewer layers, "
        "reads them instead of running the model.",
    )
    centre = st.toggle(
        "Remove the mean first",
        value=rule.sized,
        key=f"train.centre.{'sized' if rule.sized else 'grown'}",
        persist_state="session",
        help="Atoms then say how an activation differs from the average one; reconstructs better at a given size.",
    )
    offline = trust = False
    if not bundled:
        offline, trust = model_settings.offline("train"), model_settings.trust("train")
    return {
        "method": method,
        "windows": windows,
        "seed": int(seed),
        "device": device,
        "dtype": dtype,
        "placement": placement,
        "sinks": float(sinks) or None,
        "keep_activations": keep,
        "centre": centre,
        "offline": offline,
        "trust_remote_code": trust,
    }


def _defaults(entries: Sequence[LibraryEntry], bundled: bool) -> tuple[int, float]:
    """k and threshold: for the bundled models those of their own dictionary, of the middle layer."""
    if not bundled:
        return TrainConfig.k, RELATIVE_ERROR
    entry = engine.default_entry([entry for entry in entries if entry.bundled and entry.problem is None], COMPARING)
    if entry is None or entry.k is None or entry.threshold is None:
        return _DEMO_K, RELATIVE_ERROR
    return entry.k, entry.threshold
