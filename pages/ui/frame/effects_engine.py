"""What an atom does, for pages: the engine's attribution and steering, cached."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from itda_core.errors import UserError
from pages.ui.frame import engine
from pages.ui.frame.engine import DictionaryKey

if TYPE_CHECKING:
    from itda_core.analysis.interventions.attribute import Attribution
    from itda_core.analysis.interventions.change import Change
    from itda_core.analysis.interventions.steer import CurvePoint, Effect, Steering
    from itda_core.models import LanguageModel

N_WRITTEN = 24  # tokens of a continuation


class Pursued(NamedTuple):
    """How the prompt is encoded."""

    k: int
    method: str
    non_negative: bool


class Asked(NamedTuple):
    """The next token that is asked about: texts, "" for the likeliest one and for none; and what of it."""

    target: str
    against: str
    kind: str


class Wanted(NamedTuple):
    """One atom's change."""

    atom: int
    strength: float
    unit: str
    added: bool
    where: str


class Written(NamedTuple):
    """What follows the prompt."""

    before: str
    after: str


@st.cache_resource(max_entries=128, show_spinner=False)
def no_next_token(key: DictionaryKey) -> str | None:
    """Why the dictionary's model predicts no next token; None where it does."""
    from itda_core.models.prediction import check_head

    with engine.holder().lend(engine.model_spec(key)) as model:
        try:
            check_head(model)
        except UserError as error:
            return str(error)
    return None


@st.cache_resource(max_entries=128, show_spinner=False)
def attribution(key: DictionaryKey, prompt: str, token: int, how: Pursued, asked: Asked) -> Attribution:
    """Why this next token, at the dictionary's site; cached. Raises UserError for a target that is no token."""
    from itda_core.analysis.interventions.attribute import attribute

    with engine.holder().lend(engine.model_spec(key)) as model:
        return attribute(
            *(model, engine.dictionary(key), prompt),
            token=token,
            target=asked.target or None,
            against=asked.against or None,
            kind=asked.kind,
            **how._asdict(),
        )


@st.cache_resource(max_entries=256, show_spinner=False)
def effect(key: DictionaryKey, prompt: str, token: int, how: Pursued, wanted: Wanted) -> Effect:
    """What the change does behind the token; cached. Raises UserError for what cannot be changed so."""
    with engine.holder().lend(engine.model_spec(key)) as model:
        return _steering(model, key, prompt, token, how, wanted).effect()


@st.cache_resource(max_entries=128, show_spinner=False)
def curve(
    key: DictionaryKey,
    prompt: str,
    token: int,
    how: Pursued,
    wanted: Wanted,
    strengths: tuple[float, ...],
    next_token: int,
) -> tuple[CurvePoint, ...]:
    """KL and the probability of a next token over strengths; cached."""
    with engine.holder().lend(engine.model_spec(key)) as model:
        return _steering(model, key, prompt, token, how, wanted).curve(strengths, next_token)


@st.cache_resource(max_entries=128, show_spinner=False)
def written(key: DictionaryKey, prompt: str, token: int, how: Pursued, wanted: Wanted) -> Written:
    """The likeliest tokens that follow the prompt, before and after; cached."""
    with engine.holder().lend(engine.model_spec(key)) as model:
        steering = _steering(model, key, prompt, token, how, wanted)
        texts = [steering.written(N_WRITTEN, changed=changed) for changed in (False, True)]
    return Written(*texts)


@st.cache_resource(max_entries=512, show_spinner=False)
def largest(key: DictionaryKey, atom: int) -> float | None:
    """The atom's largest |coefficient| in the index that is shown of the dictionary; None where there is none."""
    from itda_core.runs.atoms.reading import index_of

    index = index_of(engine.dictionary(key))
    return None if index is None else index.largest(atom)


def _steering(
    model: LanguageModel, key: DictionaryKey, prompt: str, token: int, how: Pursued, wanted: Wanted
) -> Steering:
    from itda_core.analysis.interventions.steer import Steering

    return Steering(
        *(model, engine.dictionary(key), prompt, [_change(key, wanted)]),
        where=wanted.where,
        token=token,
        **how._asdict(),
    )


def _change(key: DictionaryKey, wanted: Wanted) -> Change:
    from itda_core.analysis.interventions.change import Change

    most = largest(key, wanted.atom) if wanted.unit == "max" else None
    return Change(wanted.atom, wanted.strength, wanted.unit, added=wanted.added, largest=most)
