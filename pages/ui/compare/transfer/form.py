"""The form of a transfer of labels: whose labels, into which model, and what it would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import streamlit as st

from itda_core.comparison.label_transfer.transfer import DRAWS, TOKENS
from itda_core.dictionaries.selections import COMPARING, is_for
from itda_core.errors import UserError
from itda_core.models.spec import DEMO_MODELS
from itda_core.runs.costs.transfer import estimate_transfer
from itda_core.runs.faults import Faults
from itda_core.runs.layers import parse_layers
from itda_core.runs.library import LibraryEntry
from itda_core.runs.through_layers import through_layers
from itda_core.runs.transfer.checks import find_faults
from itda_core.runs.transfer.request import OWN_LAYERS, TransferRequest
from itda_core.text.corpus_kinds import A_FILE
from pages.ui.components.plain_text import notice
from pages.ui.components.printable import visible
from pages.ui.evaluate.form import whole_numbers
from pages.ui.forms import dictionary_choice, job_form, kept, model_settings
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.forms.model_settings import Loading
from pages.ui.forms.more_settings import more_settings
from pages.ui.forms.pursuit_choice import kept_pursuit_or_none
from pages.ui.frame import address, beforehand, meaning
from pages.ui.frame.address import Listed

ADDRESS = (
    *("from", "labels", "into", "layers", "k", "tokens", "draws", "corpus", "held_out", "method"),
    *model_settings.ADDRESS,
)
_FROM, _INTO = "transfer.from", "transfer.into"
_MOST_TOKENS, _MOST_DRAWS = 10**8, 100


class _More(NamedTuple):
    """What is seldom changed."""

    method: str | None
    corpus: str
    held_out: str
    loading: Loading


@dataclass(frozen=True)
class Asked:
    """What the form holds."""

    labels: Listed
    into: str
    layers: str
    ks: str
    tokens: int
    draws: int
    more: _More

    def request(self, faults: Faults) -> TransferRequest | None:
        """What is asked for; whatever can be seen to be wrong before any work goes to `faults`."""
        layers: tuple[int, ...] | Literal["own"] | None = OWN_LAYERS
        ks: tuple[int, ...] = ()
        with faults.caught("layers"):
            layers = parse_layers(self.layers) if self.layers else OWN_LAYERS
        with faults.caught("k"):
            ks = whole_numbers(self.ks) if self.ks else ()
        for field, text in (("corpus", self.more.corpus), ("held_out", self.more.held_out)):
            problem = beforehand.text_look(text, offline=self.more.loading.offline).problem if text else None
            if problem is not None:
                faults.add(UserError(str(problem), field=field))
        model = model_settings.spec(self.into, None, self.more.loading, faults)
        if model is None:
            return None
        values = {
            "labels": tuple(self.labels),
            "model": model,
            "layers": layers,
            "k": ks,
            "method": self.more.method,
            "corpus": self.more.corpus or None,
            "held_out": self.more.held_out or None,
            "tokens": self.tokens,
            "draws": self.draws,
        }
        request = faults.made(_request, values, instead={"labels": ("none",)})
        if request is not None and not faults.of("device", "model"):
            find_faults(request, faults, known=beforehand.known_model)
        return request


def _request(k: tuple[int, ...] = (), **others: Any) -> TransferRequest:
    return TransferRequest(ks=k, **others)


def form(usable: Sequence[LibraryEntry], field_faults: FieldFaults) -> Asked:
    """Draws the form for `usable` dictionaries, at least one. What it holds is in the address, and comes back with it.

    They come in the order in which they are to be offered; of several of a layer the first is proposed.
    """
    models = list(dict.fromkeys(entry.model for entry in usable if entry.model))
    left, right = st.columns(2)
    with left:
        address.arrive("from", _FROM, address.one_of(*models), models[0], within=tuple(models))
        source = st.selectbox("Labels of", models, format_func=visible, key=_FROM, on_change=_forget_labels)
        address.leave("from", _FROM, source, models[0])
    with right:
        into = _into(source, models)
    field_faults.beside("model")
    by_name = {entry.name: entry for entry in usable if entry.model == source}
    labels = dictionary_choice.choose(
        "Dictionaries whose labels are transferred",
        by_name,
        _one_of_each_layer(list(by_name.values())),
        key="transfer.labels",
        name="labels",
        help="All of one text and one site. Each is rebuilt in every layer of the other model that is asked for.",
    )
    field_faults.beside("labels")
    _say_unlike([by_name[name] for name in labels if name in by_name])
    left, right = st.columns(2)
    with left:
        ks = _text("k", "Atoms per token (k)", "their own", "One or several, separated by commas.")
        tokens = _number(
            "tokens",
            "Held-out tokens",
            (1, _MOST_TOKENS),
            TOKENS,
            "To measure on: text that neither the labels nor the model's own dictionaries come from.",
        )
    with right:
        layers = _text(
            "layers", "Layers of the other model", "those of the labels", "all, or numbers and ranges such as 0,2-4"
        )
        draws = _number(
            "draws",
            "Random draws",
            (0, _MOST_DRAWS),
            DRAWS,
            "Dictionaries of as many single places drawn at random, to compare with; from two on they also tell how "
            "much chance moves them.",
        )
    field_faults.beside("k", "layers", "tokens", "draws")
    with more_settings("transfer", ("corpus", "held_out", "method", *model_settings.ADDRESS)):
        more = _more_settings()
    field_faults.beside("corpus", "held_out", "method", *model_settings.FIELDS)
    return Asked(labels, into, layers, ks, tokens, draws, more)


def _into(source: str, models: Sequence[str]) -> str:
    """Any model, one that is known before others; by default another one than the labels'."""
    known = list(dict.fromkeys([*models, *DEMO_MODELS]))
    default = next(model for model in known if model != source)
    address.arrive("into", _INTO, str, default, within=source)
    chosen = st.selectbox(
        "Rebuilt in",
        list(dict.fromkeys([*known, st.session_state[_INTO]])),
        format_func=visible,
        key=_INTO,
        accept_new_options=True,
        help="demo:0 to demo:4, a folder, or a Hugging Face id: type it and press Enter. Where the library has its own "
        "dictionaries of the same text, they are measured beside.",
    )
    address.leave("into", _INTO, chosen, default)
    return chosen or default


def _one_of_each_layer(entries: Sequence[LibraryEntry]) -> Listed:
    """The layers of one kind of dictionary, those for comparing before others: of other sizes or selections beside each
    other, the figures would say more of these than of the layers.
    """
    first = next((entry for entry in entries if is_for(entry.selection, COMPARING)), entries[0])
    kin = [entry for entry in entries if (entry.corpus, entry.site) == (first.corpus, first.site)]
    found = [one for one in through_layers(first, kin).values() if one.atoms == first.atoms] or [first]
    return Listed(entry.name for entry in found)


def _say_unlike(chosen: Sequence[LibraryEntry]) -> None:
    """That dictionaries of several selections or sizes were chosen."""
    kinds = sorted({f"{entry.selection}, {entry.atoms:,} atoms" for entry in chosen if entry.atoms is not None})
    if len(kinds) > 1:
        notice(
            f"These dictionaries are of several kinds: {'; '.join(kinds)}.",
            step="Differences between layers may come from that; choose one selection and one size.",
            kind="warning",
            key="transfer.unlike",
        )


def _forget_labels() -> None:
    """Those in the address are of the model that was chosen before."""
    address.query.pop("labels", None)
    meaning.choose_several()


def _text(name: str, label: str, placeholder: str, help: str) -> str:
    """Nothing means the default, which `placeholder` names."""
    return kept.text(name, label, key=f"transfer.{name}", placeholder=placeholder, help=help)


def _number(name: str, label: str, bounds: tuple[int, int], default: int, help: str) -> int:
    key, (low, high) = f"transfer.{name}", bounds
    address.arrive(name, key, address.whole(low, high), default)
    given = int(st.number_input(label, step=1024 if default >= 1024 else 1, key=key, help=help))
    address.leave(name, key, given, default)
    return given


def _more_settings() -> _More:
    left, middle, right = st.columns(3)
    with left:
        corpus = kept.text(
            "corpus",
            "Where the labels' text is now",
            key="transfer.corpus",
            placeholder="where the labels say",
            help="A file that has moved since the dictionaries were built; its text must be the same.",
        )
    with middle:
        held_out = kept.text(
            "held_out",
            "Measure on another text",
            key="transfer.held_out",
            placeholder="what follows the labels' own",
            help=f"demo, {A_FILE}, or hf:NAME.",
        )
    with right:
        method = kept_pursuit_or_none(
            "transfer.method", without="None chosen: that of the labels, for all dictionaries."
        )
    return _More(method, corpus, held_out, model_settings.loading("transfer"))


def cost(request: TransferRequest, faults: Faults) -> None:
    """What it would take. Raises UserError for what cannot be."""
    expected = estimate_transfer(request)
    dictionaries = (
        "the labels of one dictionary" if expected.labels == 1 else f"labels of {expected.labels} dictionaries"
    )
    layers = "" if expected.layers is None else f" in {expected.layers} layer{'' if expected.layers == 1 else 's'}"
    text = "the labels' text" if expected.text is None else f"the labels' text, {expected.text:,} tokens,"
    told = (
        f"The model reads {text} and {request.tokens:,} more; {dictionaries} are rebuilt{layers} and measured beside "
        f"{request.draws} random ones of each layer"
    )
    job_form.cost(told, expected.seconds, "the model is on this machine")
