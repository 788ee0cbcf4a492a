"""What forms find out about models and texts before a job starts, remembered so that each click does not ask again.

What is on this machine is looked at anew when its files change, what is on the Hub after some minutes. Errors are
remembered like everything else: a network that does not answer would hold up every click.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from itda_core.errors import UserError
from itda_core.files import stamp
from itda_core.models.folder.model_folder import CONFIG, folder_here, is_local, is_path
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.model_figures import ModelFigures
from itda_core.runs.faults import Faults
from itda_core.runs.training import checks
from itda_core.text.corpus_kinds import FILE, kind_of
from pages.ui.frame.session_cache import cached

if TYPE_CHECKING:
    from itda_core.models import LanguageModel
    from itda_core.text.look import TextLook

_SECONDS = 300  # until the Hub is asked again
_STAMPED = (CONFIG, "tokenizer.json", "tokenizer_config.json")


class _Outlined(NamedTuple):
    model: LanguageModel | None
    problem: UserError | None


def text_look(reference: str, *, offline: bool = False) -> TextLook:
    """The first look at a corpus."""
    if kind_of(reference) is not FILE:
        return _text_look(reference, offline, (_now(),))
    from itda_core.text.sources.files import path_and_column

    try:
        return _text_look(reference, offline, stamp(path_and_column(reference)[0]))
    except UserError:  # a home that nobody has, which the look tells as well
        return _text_look(reference, offline, None)


def check_text(reference: str, *, offline: bool = False) -> None:
    """Raises UserError for a corpus that cannot be read, as the first look at it says."""
    if (problem := text_look(reference, offline=offline).problem) is not None:
        raise problem


@cached(max_entries=32, spinner="Looking at the text")
def _text_look(reference: str, offline: bool, when: tuple[int, ...] | None) -> TextLook:
    from itda_core.text.look import look

    return look(reference, offline=offline)


def known_model(spec: ModelSpec, faults: Faults, field: str = "model") -> ModelFigures | None:
    """As checks.known_model."""
    if not (is_local(spec.name) or is_path(spec.name)):
        if (refused := _on_hub(spec, _now())) is not None:
            faults.add(refused, field)
            return None
        spec = ModelSpec(spec.name, spec.revision, offline=True)
        try:
            folder_here(spec)
        except UserError:  # yet to be fetched
            return None
    return checks.known_model(spec, faults, field)


@cached(max_entries=64, spinner="Looking for the model")
def _on_hub(spec: ModelSpec, when: int) -> UserError | None:
    """Why the model of a Hub id cannot be had."""
    try:
        folder_here(spec)
    except UserError as error:
        return error
    return None


def outline(spec: ModelSpec) -> LanguageModel:
    """As loading.load_outline, which it raises the errors of."""
    found = folder_here(spec)
    stamps = () if found is None else tuple(stamp(found.path / name) for name in _STAMPED)
    outlined = _outline(spec, "" if found is None else str(found.path), stamps)
    if outlined.problem is not None:
        raise outlined.problem
    assert outlined.model is not None, "it is one of the two"
    return outlined.model


@cached(max_entries=8, spinner="Looking at the model")
def _outline(spec: ModelSpec, folder: str, stamps: tuple[tuple[int, ...] | None, ...]) -> _Outlined:
    from itda_core.models.loading import load_outline

    try:
        return _Outlined(load_outline(spec), None)
    except UserError as error:
        return _Outlined(None, error)


def _now() -> int:
    return int(time.time()) // _SECONDS
