"""The form of the train page: everything a training needs, with defaults that work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import streamlit as st

from itda_core.dictionaries.config import SELECTIONS, SINKS, WINDOWS, TrainConfig
from itda_core.dictionaries.selections import COMPARING, Selection, selection_named
from itda_core.dictionaries.threshold import RELATIVE_ERROR
from itda_core.errors import UserError
from itda_core.runs.faults import Faults
from itda_core.runs.jobs.kinds import TRAINING
from itda_core.runs.layers import parse_layers
from itda_core.runs.library import LibraryEntry
from itda_core.runs.names import check_name
from itda_core.runs.training.checks import find_faults
from itda_core.runs.training.naming import usual_name
from itda_core.runs.training.request import TrainRequest
from pages.ui.forms import kept, model_settings
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.forms.more_settings import more_settings
from pages.ui.forms.pursuit_choice import kept_pursuit
from pages.ui.frame import address, beforehand, engine, shell
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
            beforehand.check_text(self.corpus, offline=self.offline)
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
# What the address calls the fields of this file.
_MORE = ("method", "windows", "seed", "sinks", "keep", "centre")
_OWN = ("tokens", "context", "selection", "k", "name", *_MORE)


def form(frame: shell.Shell, field_faults: FieldFaults) -> Asked:
    """Draws the form. What it holds is in the address, and comes back with it."""
    # Only a dictionary that was chosen is followed: the default one is another as soon as a training has ended, and
    # what is not in the address would change with it.
    first = train_site.proposed(frame.chosen if frame.named is not None else None)
    st.subheader("Model", anchor=False)
    model = train_site.choose_model(first)
    field_faults.beside("model", "revision")
    site = train_site.choose_site(first)
    field_faults.beside("site")
    layers = train_site.choose_layers(model.name, first)
    field_faults.beside("layers")
    st.subheader("Text", anchor=False)
    text = _text(field_faults, offline=not model.bundled and model_settings.is_offline("train"))
    st.subheader("Dictionary", anchor=False)
    dictionary = _dictionary(frame.entries, model, site)
    field_faults.beside("selection", "k", "threshold", "atoms")
    naming = st.container()
    field_faults.beside("name")
    rule = selection_named(dictionary["selection"])
    with more_settings("train", (*_MORE, *model_settings.ADDRESS)):
        more = _more(rule, bundled=model.bundled)
    field_faults.beside("method", "windows", "seed", "sinks", "centre", "keep_activations", *model_settings.FIELDS)
    asked = Asked("", model.name, model.revision, layers=layers, site=site, **text, **dictionary, **more)
    with naming:
        asked = replace(asked, name=_name(asked))
    _share(frame, model, layers, rule)
    return asked


def _share(frame: shell.Shell, model: train_site.Chosen, layers: str, rule: Selection) -> None:
    """A link says what the form shows; the way back also what was typed into fields that are not shown now."""
    size = ("wanted",) if rule.sized else ("paper_threshold" if rule.by_width else "threshold", "atoms")
    values = {
        **train_site.shared(model, layers),
        **train_text.shared(),
        **address.held((*_OWN, *size, *model_settings.ADDRESS)),
    }
    typed = (*train_site.ADDRESS, *train_text.ADDRESS, *_OWN, *train_size.ADDRESS, *model_settings.ADDRESS)
    frame.share(values, about="This address opens the form with these settings:", form=TRAINING.name, typed=typed)


def _name(asked: Asked) -> str:
    """What the dictionaries are to be called; where the field is empty, what it proposes."""
    request = asked.draft(Faults())
    usual, several = "", False
    if request is not None:
        known = train_site.figures_of(asked.model)
        layers = range(known.n_layers) if request.layers is None and known is not None else request.layers or ()
        usual, several = usual_name(request, engine.library(), layers), not request.one_layer
    given = kept.text(
        "name",
        "Name",
        key="train.name",
        placeholder=usual,
        help="What the dictionary is called in the library. Where the field is empty, it gets the name that is shown "
        "in it." + (" Each layer has its number behind it, such as -L3." if several else ""),
    )
    return given or usual


def _text(field_faults: FieldFaults, *, offline: bool) -> dict[str, Any]:
    """What is read, and in which pieces: fields of Asked."""
    corpus = train_text.choose(field_faults, offline=offline)
    left, right = st.columns(2)
    with left:
        tokens = kept.number("tokens", train_size.ALL_TOKENS, _DEMO_TOKENS, step=10_000, key="train.tokens")
    with right:
        context = kept.number(
            "context",
            "Tokens per window",
            TrainConfig.context,
            key="train.context",
            help="Documents are read in windows of at most this many tokens.",
        )
    field_faults.beside("tokens", "context")
    return {"corpus": corpus, "tokens": tokens or None, "context": context}


def _dictionary(entries: Sequence[LibraryEntry], model: train_site.Chosen, site: str) -> dict[str, Any]:
    """By which rule the dictionary grows, and how large: fields of Asked."""
    k_default, threshold_default = _defaults(entries, model.bundled)
    kind = "bundled" if model.bundled else "other"
    selection = kept.choice(
        "selection",
        "Selection",
        SELECTIONS,
        format_func=lambda name: f"{name}: {selection_named(name).words}",
        key="train.selection",
        help="By which rule activations become atoms.",
    )
    rule = selection_named(selection)
    left, middle, right = st.columns(3)
    with left:
        k = kept.number("k", "Atoms per token (k)", k_default, key=f"train.k.{kind}")
    with middle:
        if rule.sized:
            threshold, atoms = None, train_size.wanted_atoms()
        else:
            if rule.by_width:
                threshold = train_size.paper_threshold("train.threshold.paper", model.name, site)
            else:
                threshold = train_size.threshold(f"train.threshold.{kind}", threshold_default)
            with right:
                atoms = train_size.most_atoms("train.atoms")
    return {"k": k, "selection": selection, "threshold": threshold, "atoms": atoms}


def _more(rule: Selection, *, bundled: bool) -> dict[str, Any]:
    """What most trainings leave as it is: fields of Asked."""
    left, middle, right = st.columns(3)
    with left:
        method = kept_pursuit("train.method")
        sinks = _sinks(rule)
    with middle:
        windows = kept.choice("windows", "Windows of a document", WINDOWS, key="train.windows")
        seed = kept.number("seed", "Seed", 0, key="train.seed")
    with right:
        device, dtype = model_settings.device("train"), model_settings.precision("train")
        placement = model_settings.placement("train")
    keep = kept.toggle(
        "keep",
        "Keep the activations on disk",
        key="train.keep",
        help="The next training on the same text, with another threshold or selection, more tokens or fewer layers, "
        "reads them instead of running the model.",
    )
    centre = kept.toggle(
        "centre",
        "Remove the mean first",
        rule.sized,
        key=f"train.centre.{'sized' if rule.sized else 'grown'}",
        help="Atoms then say how an activation differs from the average one; reconstructs better at a given size.",
    )
    offline = trust = False
    if not bundled:
        offline, trust = model_settings.offline("train"), model_settings.trust("train")
    return {
        "method": method,
        "windows": windows,
        "seed": seed,
        "device": device,
        "dtype": dtype,
        "placement": placement,
        "sinks": sinks or None,
        "keep_activations": keep,
        "centre": centre,
        "offline": offline,
        "trust_remote_code": trust,
    }


def _sinks(rule: Selection) -> float:
    label, shown = "Attention sinks above", {"step": 1.0, "format": "%g"}
    shown["help"] = (
        "Tokens whose activation is longer than this many times the median are left out: they say little of the text "
        "and outweigh everything else. 0 leaves out none."
    )
    if rule.keeps_sinks:  # it asks nothing, and an address that does is of another selection
        return st.number_input(label, value=0.0, disabled=True, key="train.sinks.paper", **shown)
    return kept.real("sinks", label, SINKS, key="train.sinks.other", **shown)


def _defaults(entries: Sequence[LibraryEntry], bundled: bool) -> tuple[int, float]:
    """k and threshold: for the bundled models those of their own dictionary, of the middle layer."""
    if not bundled:
        return TrainConfig.k, RELATIVE_ERROR
    entry = engine.default_entry([entry for entry in entries if entry.bundled and entry.problem is None], COMPARING)
    if entry is None or entry.k is None or entry.threshold is None:
        return _DEMO_K, RELATIVE_ERROR
    return entry.k, entry.threshold
