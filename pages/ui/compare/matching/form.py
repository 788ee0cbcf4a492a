"""The form of a layer-matching study: which models, on which text, and what it would take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st

from itda_core.errors import UserError
from itda_core.models.spec import DEMO_MODELS
from itda_core.runs.costs.matching import estimate_match
from itda_core.runs.faults import Faults
from itda_core.runs.layers import format_layers, parse_layers
from itda_core.runs.library import LibraryEntry
from itda_core.runs.matching.checks import find_faults
from itda_core.runs.matching.request import DICTIONARIES, TOKENS, MatchRequest
from itda_core.text.corpus_kinds import A_FILE
from pages.ui.components.printable import visible
from pages.ui.forms import columns_of_text, job_form, kept, model_settings
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.forms.model_settings import Loading
from pages.ui.forms.more_settings import more_settings
from pages.ui.frame import address, beforehand
from pages.ui.frame.address import MARK, Listed

_MODELS, _CORPUS, _TOKENS, _LAYERS = "match.models", "match.corpus", "match.tokens", "match.layers"
_MOST_TOKENS = 10**8
ADDRESS = ("models", "text", columns_of_text.ADDRESS, "tokens", "layers", "k", *model_settings.ADDRESS)


@dataclass(frozen=True)
class Asked:
    """What the form holds."""

    models: Listed
    corpus: str
    tokens: int
    layers: str
    k: int
    loading: Loading

    def request(self, faults: Faults) -> MatchRequest | None:
        """What is asked for; whatever can be seen to be wrong before any work goes to `faults`."""
        config = faults.made(partial(replace, DICTIONARIES), {"tokens": self.tokens, "k": self.k})
        layers, request = None, None
        with faults.caught("layers"):
            layers = parse_layers(self.layers)
        with faults.caught("corpus"):
            if not self.corpus:
                raise UserError("No text was named; name one, for example demo.")
            beforehand.check_text(self.corpus, offline=self.loading.offline)
        model_settings.spec(DEMO_MODELS[0], None, self.loading, faults)
        with faults.caught("models"):
            request = MatchRequest(
                models=tuple(self.models),
                corpus=self.corpus,
                config=config or DICTIONARIES,
                layers=layers,
                **self.loading._asdict(),
            )
        if request is not None and not faults.of("device"):
            find_faults(request, faults, known=beforehand.known_model)
        return request


def form(entries: Iterable[LibraryEntry], field_faults: FieldFaults) -> Asked:
    """Draws the form. What it holds is in the address, and comes back with it."""
    default = Listed(DEMO_MODELS)
    known = list(dict.fromkeys([*DEMO_MODELS, *(entry.model for entry in entries if entry.model)]))

    def parse(text: str) -> Listed:
        return Listed(dict.fromkeys(name for name in text.split(MARK) if name))

    address.arrive("models", _MODELS, parse, default)
    offered = list(dict.fromkeys([*known, *st.session_state[_MODELS]]))
    models = Listed(
        st.multiselect(
            "Models to match",
            offered,
            format_func=visible,
            key=_MODELS,
            accept_new_options=True,
            placeholder="Choose at least two",
            help="demo:0 to demo:4, a folder, or a Hugging Face id: type it and press Enter. All need the same layers.",
        )
    )
    address.leave("models", _MODELS, models, default)
    field_faults.beside("models")
    left, middle, right = st.columns([3, 2, 2])
    with left:
        corpus = kept.text(
            "text",
            "Text",
            "demo",
            key=_CORPUS,
            on_change=columns_of_text.forget,
            help=f"demo, {A_FILE}, or hf:NAME; all models read it.",
        )
    with middle:
        address.arrive("tokens", _TOKENS, address.whole(1, _MOST_TOKENS), TOKENS)
        tokens = int(st.number_input("Tokens to read", step=1024, key=_TOKENS))
        address.leave("tokens", _TOKENS, tokens, TOKENS)
    with right:
        address.arrive("layers", _LAYERS, _layers, "all")
        layers = st.text_input("Layers", key=_LAYERS, help="all, or numbers and ranges such as 0,2-4").strip()
        address.leave("layers", _LAYERS, layers, "all")
    field_faults.beside("corpus", "tokens", "layers")
    if corpus != "demo":
        named = columns_of_text.choose(corpus, "match.text")
        columns_of_text.first_rows(named, "match.text", offline=model_settings.is_offline("match"))
        corpus = named
    with more_settings("match", ("k", *model_settings.ADDRESS)):
        left, *_ = st.columns(3)
        with left:
            k = kept.number(
                "k",
                "k of ITDA's dictionaries",
                DICTIONARIES.k,
                key="match.k",
                help="Atoms per token while they grow.",
            )
        how = model_settings.loading("match")
    field_faults.beside("k", *model_settings.FIELDS)
    return Asked(models, corpus, tokens, layers, k, how)


def _layers(text: str) -> str:
    try:
        return format_layers(parse_layers(text))
    except UserError:
        raise address.Refused("names no layers such as 0,2-4") from None


def cost(request: MatchRequest, faults: Faults) -> None:
    """What it would take."""
    told = (
        f"{len(request.models)} models, one after the other, read {request.config.tokens or 0:,} tokens each, and "
        f"{len(request.measures)} measures compare every two layers"
    )
    job_form.cost(told, estimate_match(request), "all models are on this machine")
