"""The form of the train page: everything a training needs, with defaults that work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import streamlit as st

from itda_core.dictionaries.config import SELECTIONS, SINKS, TrainConfig
from itda_core.dictionaries.selections import COMPARING, Selection, selection_named
from itda_core.dictionaries.threshold import RELATIVE_ERROR
from itda_core.errors import UserError
from itda_core.runs.faults import Faults
from itda_core.runs.layers import parse_layers
from itda_core.runs.library import LibraryEntry
from itda_core.runs.names import check_name
from itda_core.runs.training.checks import find_faults
from itda_core.runs.training.naming import usual_name
from itda_core.runs.training.request import TrainRequest
from pages.ui.forms import model_settings
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.forms.pursuit_choice import pursuit
from pages.ui.frame import beforehand, engine
from pages.ui.train import site as train_site
from pages.ui.train import size as train_size
from pages.ui.train import text as train_text

_DEMO_TOKENS = 100_000
_DEMO_K = 8  # at d_model 128, 40 would leave a dictionary of about a hundred atoms


@dataclass(frozen=True)
class Asked:
    """What the form holds."""

    name: str  # as the field says it, or as it proposes
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

    def request(self, faults: Faults) -> TrainRequest | None:
        """What is asked for; whatever can be seen to be wrong before any work goes to `faults`."""
        request = self.draft(faults)
        if request is None:
            return None
        figures = None if faults.of("model", "revision") else beforehand.known_model(request.model, faults)
        find_faults(request, faults, figures=figures, outline=beforehand.outline)
        return request

    def draft(self, faults: Faults) -> TrainRequest | None:
        """The same, each part looked at by itself only."""
        loading = model_settings.Loading(self.device, self.dtype, self.placement, self.offline, self.trust_remote_code)
        model = model_settings.spec(self.model, self.revision, loading, faults)
        values = {name: getattr(self, name) for name in _OF_CONFIG}
        config = faults.made(TrainConfig, values, instead={"atoms": 1})
        layers, name = None, None
        with faults.caught("name"):
            name = check_name(self.name) if self.name else None
        with faults.caught("layers"):
            if not self.layers:
                raise UserError("No layer was chosen; choose at least one.")
            layers = parse_layers(self.layers)
        with faults.caught("corpus"):
            if not self.corpus:
                raise UserError("No text was chosen yet; upload a file, give a path or use the bundled one.")
            if problem := beforehand.text_look(self.corpus, offline=self.offline).problem:
                raise problem
        if model is None or config is None:
            return None
        return TrainRequest(
            model,
            layers,
            self.corpus,
            config,
            self.site,
            name=name,
            keep_activations=self.keep_activations,
        )


_OF_CONFIG = tuple(field.name for field in fields(TrainConfig))


def form(entries: Sequence[LibraryEntry], field_faults: FieldFaults) -> Asked:
    """Draws the form. Its values outlive a visit to another page."""
    st.subheader("Model", anchor=False)
    model, revision, bundled = train_site.choose_model()
    field_faults.beside("model", "revision")
    site = train_site.choose_site()
    field_faults.beside("site")
    layers = train_site.choose_layers(model)
    field_faults.beside("layers")
    st.subheader("Text", anchor=False)
    text = _text(field_faults, offline=not bundled and model_settings.is_offline("train"))
    st.subheader("Dictionary", anchor=False)
    dictionary = _dictionary(entries, model, site, bundled=bundled)
    field_faults.beside("selection", "k", "threshold", "atoms")
    naming = st.container()
    field_faults.beside("name")
    with st.expander("More settings", icon=":material/tune:"):
        more = _more(selection_named(dictionary["selection"]), bundled=bundled)
    field_faults.beside("method", "windows", "seed", "sinks", "centre", "keep_activations", *model_settings.FIELDS)
    asked = Asked(name="", model=model, revision=revision, layers=layers, site=site, **text, **dictionary, **more)
    with naming:
        return replace(asked, name=_name(asked))


def _name(asked: Asked) -> str:
    """What the dictionaries are to be called; where the field is empty, what it proposes."""
    request = asked.draft(Faults())
    usual, several = "", False
    if request is not None:
        known = train_site.figures_of(asked.model)
        layers = range(known.n_layers) if request.layers is None and known is not None else request.layers or ()
        usual, several = usual_name(request, engine.library(), layers), not request.one_layer
    given = st.text_input(
        "Name",
        key="train.name",
        persist_state="session",
        placeholder=usual,
        help="What the dictionary is called in the library. Where the field is empty, it gets the name that is shown "
        "in it." + (" Each layer has its number behind it, such as -L3." if several else ""),
    )
    return given.strip() or usual


def _text(field_faults: FieldFaults, *, offline: bool) -> dict[str, Any]:
    """What is read, and in which pieces: fields of Asked."""
    corpus = train_text.choose(field_faults, offline=offline)
    left, right = st.columns(2)
    tokens = left.number_input(
        "Tokens to read",
        value=_DEMO_TOKENS,
        step=10_000,
        key="train.tokens",
        persist_state="session",
        help="0 reads the whole text.",
    )
    context = right.number_input(
        "Tokens per window",
        value=128,
        key="train.context",
        persist_state="session",
        help="Documents are read in windows of at most this many tokens.",
    )
    field_faults.beside("tokens", "context")
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
    k = left.number_input("Atoms per token (k)", value=k_default, key=f"train.k.{kind}", persist_state="session")
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
    with left:
        method = pursuit("train.method", persist="session")
    windows = middle.selectbox("Windows of a document", ("all", "first"), key="train.windows", persist_state="session")
    seed = middle.number_input("Seed", value=0, key="train.seed", persist_state="session")
    with right:
        device, dtype = model_settings.device("train"), model_settings.precision("train")
        placement = model_settings.placement("train")
    sinks = left.number_input(
        "Attention sinks above",
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
