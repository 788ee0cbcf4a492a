"""The form of the evaluate page: which dictionaries, how encoded, on which text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from itda_core.analysis.evaluate import TOKENS
from itda_core.dictionaries.config import METHODS
from itda_core.errors import UserError
from itda_core.models.spec import DEMO_MODELS
from itda_core.runs.costs.evaluation import estimate_evaluation
from itda_core.runs.evaluation.checks import find_faults
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.faults import Faults
from itda_core.runs.library import LibraryEntry
from pages.ui.evaluate import text as evaluate_text
from pages.ui.forms import dictionary_choice, job_form, kept, model_settings
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.forms.model_settings import Loading
from pages.ui.forms.more_settings import more_settings
from pages.ui.forms.pursuit_choice import pursuits
from pages.ui.frame import address, beforehand, shell
from pages.ui.frame.address import MARK, Listed

ADDRESS = ("dictionaries", "k", "method", *evaluate_text.ADDRESS, "tokens", "model", *model_settings.ADDRESS)
_KS = (10, 20, 40)
_MOST_TOKENS = 10**9
_DICTIONARIES, _METHODS, _TOKENS = "evaluate.dictionaries", "evaluate.methods", "evaluate.tokens"


@dataclass(frozen=True)
class Asked:
    """What the form holds."""

    dictionaries: Listed
    ks: str
    methods: Listed
    text: evaluate_text.Text
    tokens: int
    model: str
    loading: Loading

    def request(self, faults: Faults) -> EvaluateRequest | None:
        """What is asked for; whatever can be seen to be wrong before any work goes to `faults`."""
        ks: tuple[int, ...] = ()
        with faults.caught("k"):
            ks = whole_numbers(self.ks)
        if not self.methods:
            faults.add(UserError("No pursuit was chosen; choose at least one.", field="method"))
        with faults.caught("corpus"):
            self.text.check(offline=self.loading.offline)
        model_settings.spec(self.model or DEMO_MODELS[0], None, self.loading, faults)
        if not self.dictionaries:
            faults.add(UserError("No dictionary was chosen; choose at least one.", field="dictionaries"))
            return None
        request = EvaluateRequest(
            dictionaries=tuple(self.dictionaries),
            corpus=self.text.given or None,
            ks=ks,
            methods=tuple(self.methods),
            tokens=None if self.tokens == TOKENS else self.tokens,
            model=self.model or None,
            **self.loading._asdict(),
        )
        if not faults.of("device"):
            find_faults(request, faults, known=beforehand.known_model)
        return request


def whole_numbers(text: str) -> tuple[int, ...]:
    """The numbers of a list such as `10, 20, 40`, each once. Raises UserError when something else is in it."""
    parts = [part.strip() for part in text.replace(";", ",").replace(" ", ",").split(",") if part.strip()]
    wrong = next((part for part in parts if not (part.isascii() and part.isdigit() and len(part) < 10)), None)
    if wrong is not None:
        raise UserError(f"k={wrong[:40]} is not a whole number; give one or several, for example 10, 20, 40.")
    if not parts:
        raise UserError("No k was given; give one or several, for example 10, 20, 40.")
    return tuple(dict.fromkeys(map(int, parts)))


def form(frame: shell.Shell, field_faults: FieldFaults) -> Asked:
    """Draws the form. What it holds is in the address, and comes back with it."""
    by_name = dictionary_choice.by_names(frame.entries)
    st.subheader("Dictionaries", anchor=False)
    names = _dictionaries(frame, by_name)
    field_faults.beside("dictionaries")
    chosen = [by_name[name] for name in names]
    left, right = st.columns(2)
    with left:
        default_ks = ", ".join(map(str, ks_for(chosen)))
        ks = _kept_text("k", f"evaluate.k.{default_ks}", default_ks)
    with right:
        methods = _pursuits()
    field_faults.beside("k", "method")
    st.subheader("Text", anchor=False)
    text = evaluate_text.choose(chosen, field_faults, offline=model_settings.is_offline("evaluate"))
    address.arrive("tokens", _TOKENS, address.whole(1, _MOST_TOKENS), TOKENS)
    tokens = st.number_input(
        "Tokens to measure on",
        step=1024,
        key=_TOKENS,
        help="Special tokens are not counted, unknown words are. Windows are read whole, so that up to one window more "
        "is measured. More tokens make the figures steadier: at a few thousand they still move in the third digit.",
    )
    address.leave("tokens", _TOKENS, int(tokens), TOKENS)
    field_faults.beside("tokens")
    with more_settings("evaluate", ("model", *model_settings.ADDRESS)):
        model = kept.text(
            "model",
            "Where the model is now",
            key="evaluate.model",
            placeholder="where it was when the dictionaries were built",
            help="A folder or a Hugging Face id, if the model has moved; its weights must be the same.",
        )
        how = model_settings.loading("evaluate")
    field_faults.beside("model", *model_settings.FIELDS)
    return Asked(names, ks, methods, text, int(tokens), model, how)


def _dictionaries(frame: shell.Shell, by_name: dict[str, LibraryEntry]) -> Listed:
    default = Listed(entry.name for entry in default_entries(frame.chosen, list(by_name.values())))
    return dictionary_choice.choose(
        "Dictionaries to measure",
        by_name,
        default,
        key=_DICTIONARIES,
        help="Several are measured on the same text where they can be. Those of one model share its own passes.",
    )


def default_entries(chosen: LibraryEntry | None, usable: Sequence[LibraryEntry]) -> list[LibraryEntry]:
    """The dictionary that the address names; else one of each layer of the same model and selection, by layer."""
    if chosen is None or address.query.get("dictionary") or chosen.layer is None:
        return [] if chosen is None else [chosen]
    layers = {chosen.layer: chosen}
    for entry in usable:
        if entry.layer is not None and _kind(entry) == _kind(chosen):
            layers.setdefault(entry.layer, entry)
    return [layers[layer] for layer in sorted(layers)]


def _kind(entry: LibraryEntry) -> tuple[object, ...]:
    return entry.model, entry.site, entry.selection, entry.bundled


def ks_for(entries: Sequence[LibraryEntry]) -> tuple[int, ...]:
    """10, 20 and 40, as far as every dictionary has so many atoms; its own k where it has not even ten."""
    most = min((entry.atoms or 1 for entry in entries), default=_KS[-1])
    return tuple(k for k in _KS if k <= most) or (most,)


def _kept_text(name: str, key: str, default: str) -> str:
    address.arrive(name, key, str, default)
    value = st.text_input(
        "Atoms per token (k)",
        key=key,
        help="One or several, separated by commas. Each is measured by itself: more atoms explain more.",
    )
    address.leave(name, key, value, default)
    return value


def _pursuits() -> Listed:
    default = Listed(METHODS[:1])

    def parse(text: str) -> Listed:
        given = Listed(name for name in text.split(MARK) if name)
        if wrong := next((name for name in given if name not in METHODS), None):
            raise address.Refused(f"names {wrong[:20]!r}, none of {', '.join(METHODS)}")
        return given

    address.arrive("method", _METHODS, parse, default)
    listed = Listed(pursuits(_METHODS))
    address.leave("method", _METHODS, listed, default)
    return listed


def permalink(frame: shell.Shell, asked: Asked) -> dict[str, object]:
    """What the address of the filled form holds."""
    return {"dictionary": frame.named, **address.held(ADDRESS)}


def cost(request: EvaluateRequest, faults: Faults) -> None:
    """What it would take. Raises UserError for a k that cannot be."""
    expected = estimate_evaluation(request)
    count = f"{expected.results} result{'' if expected.results == 1 else 's'}"
    told = f"{count}, {expected.passes} passes over {expected.tokens:,} tokens (windows are read whole)"
    job_form.cost(told, expected.seconds, "the model has been fetched")
