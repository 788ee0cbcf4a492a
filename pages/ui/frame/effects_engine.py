"""What an atom does, for pages: the engine's attribution and steering, cached."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st

from itda_core.errors import UserError
from pages.ui.frame import engine
from pages.ui.frame.engine import DictionaryKey
from pages.ui.frame.session_cache import Kept, cached

if TYPE_CHECKING:
    from itda_core.analysis.interventions.attribute import Attribution
    from itda_core.analysis.interventions.effect import CurvePoint, Effect, Piece
    from itda_core.analysis.interventions.steer import Steering, Unchanged
    from itda_core.models import LanguageModel

_MOST_BYTES = 2**26  # of what models compute without any change
_TURN = 0.001  # seconds between two tokens that are written, in which others get the model


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
    steps: int = 0  # of a path from zero; 0: the gradient at the activation


class Prompted(NamedTuple):
    """A token of a prompt, and how the prompt is encoded."""

    prompt: str
    token: int
    how: Pursued


class AtomPart(NamedTuple):
    """What one atom at a token has to do with the likeliest token behind it."""

    target: str
    value: float  # the target's logit
    probability: float  # of the target
    effect: float | None  # None where the atom is not used at that token
    removed: float | None  # by how much the logit really changes without it
    rank: int  # among all atoms at all tokens, by |effect|, from 1; 0 where it is not used
    parts: int  # of those there are that have an effect


class Wanted(NamedTuple):
    """What is changed where."""

    changes: tuple[str, ...]  # as interventions.written has them
    where: str
    special: bool  # whether special tokens are changed too

    def of_any_strength(self) -> Wanted:
        """The same for all strengths of the first change."""
        from itda_core.analysis.interventions.written import change_of, text_of

        first, *others = self.changes
        return self._replace(changes=(text_of(replace(change_of(first), strength=1.0)), *others))


class Told(NamedTuple):
    """How is written on."""

    new_tokens: int
    temperature: float
    seed: int


@cached(max_entries=128)
def no_next_token(key: DictionaryKey) -> str | None:
    """Why the dictionary's model predicts no next token; None where it does."""
    from itda_core.models.prediction import check_head

    with engine.holder().lend(engine.model_spec(key)) as model:
        try:
            check_head(model)
        except UserError as error:
            return str(error)
    return None


@cached(max_entries=128)
def attribution(key: DictionaryKey, prompt: str, token: int, how: Pursued, asked: Asked) -> Attribution:
    """Why this next token, at the dictionary's site; cached. Raises UserError for a target that is no token."""
    return _attributed((key,), Prompted(prompt, token, how), asked)


@cached(max_entries=64)
def attribution_over(
    keys: tuple[DictionaryKey, ...], prompt: str, token: int, how: Pursued, asked: Asked
) -> Attribution:
    """The same over dictionaries of several layers of one model, without a removal; cached. Raises UserError likewise,
    and for a k that is too large for one of them.
    """
    return _attributed(keys, Prompted(prompt, token, how), asked, check=0)


def _attributed(keys: tuple[DictionaryKey, ...], at: Prompted, asked: Asked, **more: Any) -> Attribution:
    """more: what the engine's `attribute` is told besides."""
    from itda_core.analysis.interventions.attribute import attribute

    with engine.holder().lend(engine.model_spec(keys[0])) as model:
        return attribute(
            *(model, list(map(engine.dictionary, keys)), at.prompt),
            token=at.token,
            target=asked.target or None,
            against=asked.against or None,
            kind=asked.kind,
            integrated=asked.steps,
            **at.how._asdict(),
            **more,
        )


@cached(max_entries=128)
def atom_part(key: DictionaryKey, at: Prompted, atom: int) -> AtomPart:
    """The atom's part in the likeliest next token, and what its removal really does; cached."""
    found = _attributed((key,), at, Asked("", "", "logit"), check=0, besides=[(at.token, atom)])
    (layer,) = found.layers
    felt = [(part.token, part.atom) for part in layer.parts if part.effect]
    rank = felt.index((at.token, atom)) + 1 if (at.token, atom) in felt else 0
    one = layer.besides[0] if layer.besides else None
    return AtomPart(
        target=found.target,
        value=found.value,
        probability=found.probability,
        effect=None if one is None else -one.predicted,
        removed=None if one is None else one.measured,
        rank=rank,
        parts=len(felt),
    )


@cached(max_entries=256)
def effect(key: DictionaryKey, prompt: str, token: int, how: Pursued, wanted: Wanted) -> Effect:
    """What the change does behind the token; cached. Raises UserError for what cannot be changed so."""
    with engine.holder().lend(engine.model_spec(key)) as model:
        return _steering(model, key, Prompted(prompt, token, how), wanted).effect()


@cached(max_entries=128)
def _curve(
    key: DictionaryKey, at: Prompted, wanted: Wanted, ends: tuple[float, float], next_token: int
) -> tuple[CurvePoint, ...]:
    from itda_core.runs.steering.run import strengths_of

    with engine.holder().lend(engine.model_spec(key)) as model:
        return _steering(model, key, at, wanted).curve(strengths_of(*ends), next_token)


def curve(
    key: DictionaryKey, at: Prompted, wanted: Wanted, ends: tuple[float, float], next_token: int
) -> tuple[CurvePoint, ...]:
    """KL and the probability of a next token over strengths of the first change, whose own strength does not count;
    cached. Raises UserError as `effect`.
    """
    return _curve(key, at, wanted.of_any_strength(), ends, next_token)


@cached(max_entries=256)
def token_text(key: DictionaryKey, token_id: int) -> str:
    """What a token of the vocabulary reads. Raises UserError where there is none of that number."""
    from itda_core.models.tokenizer.token_text import token_text as token_text_of

    with engine.holder().lend(engine.model_spec(key)) as model:
        n = model.module.config.get_text_config().vocab_size
        if not 0 <= token_id < n:
            raise UserError(f"Token {token_id} is not in the model's vocabulary of {n:,}.")
        return token_text_of(model.tokenizer, token_id)


@cached(max_entries=256)
def room(key: DictionaryKey, prompt: str) -> int:
    """How many tokens can follow the prompt before the model's context is full."""
    from itda_core.models.generation import prompt_ids

    return engine.context(key) - len(prompt_ids(engine.read_prompt(key, prompt).window))


def writing(
    key: DictionaryKey, at: Prompted, wanted: Wanted, told: Told
) -> Generator[tuple[tuple[Piece, ...], tuple[Piece, ...]], None, None]:
    """What follows the prompt before and after, as both grow; the model is lent anew for each token, so that others
    can ask it meanwhile. Raises UserError as `effect`.
    """
    from itda_core.runs.steering.run import side_by_side

    spec = engine.model_spec(key)
    with engine.holder().lend(spec) as model:
        steering = _steering(model, key, at, wanted)
    with closing(side_by_side(steering, *told)) as steps:
        while True:
            with engine.holder().lend(spec):
                found = next(steps, None)
            if found is None:
                return
            yield found
            time.sleep(_TURN)


def largest(key: DictionaryKey, atom: int) -> float | None:
    """The atom's largest |coefficient| in the index that is shown of the dictionary; None where there is none."""
    from itda_core.runs.indexing.indices import shown_folder

    identity = engine.dictionary(key).identity
    folder = None if identity is None else shown_folder(identity)
    return None if folder is None else _largest(key, atom, str(folder))


@cached(max_entries=512)
def _largest(key: DictionaryKey, atom: int, folder: str) -> float | None:
    from itda_core.runs.steering.run import largest_of

    return largest_of(engine.dictionary(key))(atom)


@st.cache_resource
def _unchanged() -> Kept[tuple[DictionaryKey, str, int], Unchanged]:
    return Kept(_MOST_BYTES, lambda one: one.x.nbytes + one.behind.nbytes)


def _steering(model: LanguageModel, key: DictionaryKey, at: Prompted, wanted: Wanted) -> Steering:
    from itda_core.analysis.interventions.steer import Steering
    from itda_core.analysis.interventions.written import changes_of, with_largest

    def steering(unchanged: Unchanged | None) -> Steering:
        return Steering(
            *(model, engine.dictionary(key), at.prompt),
            with_largest(changes_of(wanted.changes), lambda atom: largest(key, atom)),
            where=wanted.where,
            token=at.token,
            include_special=wanted.special,
            unchanged=unchanged,
            **at.how._asdict(),
        )

    return steering(_unchanged().get((key, at.prompt, at.token), lambda: steering(None).unchanged))
