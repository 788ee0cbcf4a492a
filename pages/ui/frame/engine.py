"""What the pages ask of the engine, cached. The only place with `st.cache_*` and the model holder,
but for `beforehand`, which looks at models and texts before a job, `atoms_engine` and `atoms_search`.

A dictionary is known here by its folder and its `stamp` (when its files last changed), so that a folder replaced under
the same name is read again. Errors are never cached.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from itda_core.analysis.example import PROMPT as EXAMPLE
from itda_core.dictionaries.selections import READING, is_for
from itda_core.errors import UserError
from itda_core.models.spec import DEMO_MODELS, ModelSpec
from itda_core.runs.library import Library, LibraryEntry
from pages.ui.frame import slow_imports
from pages.ui.frame.model_holder import ModelHolder
from pages.ui.frame.session_cache import Kept, cached, patiently

if TYPE_CHECKING:
    from itda_core.analysis import Decomposition, PromptActivations, Replay
    from itda_core.comparison import JaccardMatrix, LabelSet
    from itda_core.comparison.over_training.convergence import Convergence
    from itda_core.comparison.overlap.comparability import Comparability
    from itda_core.comparison.overlap.differences import Differences
    from itda_core.dictionaries import AtomDictionary
    from itda_core.runs.rebuilding import Rebuilt
    from itda_core.runs.verify import Verification


_MOST_DICTIONARY_BYTES = 2**30  # of dictionaries in memory; one alone may have more
_MOST_PROMPT_BYTES = 2**26  # of prompts' activations
_LABEL_BYTES = 500  # of a label with its context, as pandas holds it


class DictionaryKey(NamedTuple):
    """Which dictionary, and as of when."""

    path: str
    stamp: int


@st.cache_resource
def holder() -> ModelHolder:
    """The models in memory, the same for all sessions."""
    return ModelHolder()


def device() -> str:
    """Where the model in memory is, or "" before one was loaded."""
    return holder().device or ""


def library() -> Library:
    """The user's library, with the bundled dictionaries."""
    return Library()


def entries() -> list[LibraryEntry]:
    """Everything in the library, damaged folders included."""
    return library().entries()


def usable(listed: Sequence[LibraryEntry]) -> list[LibraryEntry]:
    """Those entries that are not damaged."""
    return [entry for entry in listed if entry.problem is None]


def default_entry(listed: Sequence[LibraryEntry], purpose: str = READING) -> LibraryEntry | None:
    """The dictionary to open when none was asked for: the middle layer of the first demo model, of those for `purpose`
    if there are any; or the newest.
    """
    demo = [entry for entry in listed if entry.bundled and entry.model == DEMO_MODELS[0] and entry.layer is not None]
    if demo:
        demo = [entry for entry in demo if is_for(entry.selection, purpose)] or demo
        demo.sort(key=lambda entry: entry.layer or 0)
        return demo[len(demo) // 2]
    return listed[0] if listed else None


def nearest(name: str, listed: Sequence[LibraryEntry]) -> list[LibraryEntry]:
    """The dictionaries whose names are most like `name`, at most three; the default one if none is."""
    by_name = {entry.name.casefold(): entry for entry in reversed(listed)}
    near = [by_name[found] for found in difflib.get_close_matches(name.casefold(), list(by_name), n=3, cutoff=0.3)]
    if near:
        return near
    default = default_entry(listed)
    return [] if default is None else [default]


def nearest_hint(name: str, listed: Sequence[LibraryEntry]) -> str:
    """` (the nearest is demo-0-L2)`, to stand behind a name that the library lacks; "" where nothing is near."""
    near = nearest(name, listed)
    return f" (the nearest is {near[0].name})" if near else ""


def key_of(path: Path) -> DictionaryKey:
    """Raises UserError when the folder is gone."""
    try:
        return DictionaryKey(str(path), (path / "dictionary.json").stat().st_mtime_ns)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); choose another dictionary.") from None


@st.cache_resource
def _dictionaries() -> Kept[DictionaryKey, AtomDictionary]:
    return Kept(_MOST_DICTIONARY_BYTES, lambda one: one.atoms.nbytes + len(one.provenance) * _LABEL_BYTES)


def dictionary(key: DictionaryKey) -> AtomDictionary:
    """Raises UserError when it is damaged."""

    def load() -> AtomDictionary:
        slow_imports.load(models=False)
        from itda_core.dictionaries import AtomDictionary

        return AtomDictionary.load(Path(key.path))

    return patiently(_dictionaries().get, key, load)


def model_spec(key: DictionaryKey) -> ModelSpec:
    """The model a dictionary was built on."""
    spec = dictionary(key).spec
    return ModelSpec(spec.model, revision=spec.revision)


@st.cache_resource
def _prompts() -> Kept[tuple[DictionaryKey, str], PromptActivations]:
    return Kept(_MOST_PROMPT_BYTES, lambda one: one.x.nbytes)


def read_prompt(key: DictionaryKey, prompt: str) -> PromptActivations:
    """The prompt's activations; neither k nor method nor a chosen token makes the model run again."""

    def run() -> PromptActivations:
        from itda_core.analysis import read_prompt as read

        read_by = dictionary(key)
        with holder().lend(model_spec(key)) as model:
            return read(model, read_by, prompt)

    return patiently(_prompts().get, (key, prompt), run)


@cached(max_entries=96)
def decomposition(key: DictionaryKey, prompt: str, k: int, method: str, non_negative: bool = False) -> Decomposition:
    """A prompt decomposed; cached. For the example that is kept no model is needed."""
    from itda_core.analysis import decompose_activations

    kept = example(key)
    if kept is not None and (kept.prompt, kept.k, kept.method, kept.non_negative) == (prompt, k, method, non_negative):
        return kept
    return decompose_activations(dictionary(key), read_prompt(key, prompt), k, method, non_negative=non_negative)


def example(key: DictionaryKey) -> Decomposition | None:
    """The decomposition that is kept, if it is by this dictionary: it is there while the model is still being loaded.

    Its k and pursuit are the dictionary's own.
    """
    from itda_core.analysis.example import read_example

    return read_example(Path(key.path))


@cached(max_entries=256)
def replay(key: DictionaryKey, prompt: str, token: int, k: int, method: str, non_negative: bool = False) -> Replay:
    """The pursuit of one token replayed; cached."""
    from itda_core.analysis import replay as replayed

    read = read_prompt(key, prompt)
    with holder().lend(model_spec(key)) as model:
        return replayed(model, dictionary(key), read, token, k, method, non_negative=non_negative)


@cached(max_entries=256)
def context(key: DictionaryKey) -> int:
    """How many tokens the dictionary's model takes at once, special ones included."""
    with holder().lend(model_spec(key)) as model:
        return model.context


@cached(max_entries=512)
def label_set(key: DictionaryKey) -> LabelSet:
    """Where a dictionary's atoms were seen; the atoms themselves are not read."""
    from itda_core.comparison import LabelSet

    return LabelSet.load(key.path)


@cached(max_entries=8)
def label_sets(keys: tuple[DictionaryKey, ...], by: str) -> tuple[LabelSet, ...]:
    """One set per dictionary; or, `by` "model", one per model, of all its dictionaries together."""
    from itda_core.runs.comparing import by_model, named_apart

    sets = list(map(label_set, keys))
    return tuple(by_model(sets) if by == "model" else named_apart(sets))


class Comparable(NamedTuple):
    """What can be compared, and a sentence where it could not be counted as was asked for."""

    places: Comparability
    note: str


@cached(max_entries=4)
def comparability(keys: tuple[DictionaryKey, ...], by: str, exact: bool, must: bool) -> Comparable:
    """What can be compared: counted in the corpus (`exact`), or as far as the trainings say it.

    must: UserError where it cannot be counted; else what the trainings say is taken, and the note has the reason.
    """
    from itda_core.comparison.overlap.comparability import comparability as compared
    from itda_core.runs.comparing import looked_up

    sets = label_sets(keys, by)
    if not exact:
        return Comparable(compared(sets, None, None), "")
    slow_imports.load()
    return Comparable(*looked_up(sets, must=must, offline=True))  # nobody asked for the network


def text_to_count(keys: tuple[DictionaryKey, ...]) -> int | None:
    """How many tokens would be read to count what is comparable: of each tokenizer's the most that one has read; None
    where the corpus is on the Hub.
    """
    from itda_core.text.corpus_kinds import HUB

    sets, most = label_sets(keys, "dictionary"), dict[str, int]()
    if any(HUB.names(spec.corpus) for one in sets for spec in one.specs):
        return None
    for one in sets:
        name = one.reading.tokenizer
        most[name] = max(most.get(name, 0), one.tokens or 0)
    return sum(most.values())


@cached(max_entries=8)
def jaccard(
    keys: tuple[DictionaryKey, ...], by: str, exact: bool, null: str, interval: bool, crop: bool
) -> JaccardMatrix:
    """Every two of `label_sets` compared."""
    from itda_core.comparison import jaccard_matrix

    comparable = comparability(keys, by, exact, null == "token").places
    return jaccard_matrix(label_sets(keys, by), comparable=comparable, null=null, interval=interval, crop=crop)


class TrainingMoment(NamedTuple):
    """How far the training of a bundled checkpoint was."""

    tokens: int  # trained on
    held_out_loss: float  # nats per token


@cached()
def convergence() -> tuple[Convergence, dict[int, TrainingMoment]]:
    """The bundled checkpoints' dictionaries beside the last one's, and each step's moment."""
    from itda_core.comparison import LabelSet
    from itda_core.comparison.over_training.convergence import convergence as converge
    from itda_core.comparison.over_training.demo_checkpoints import demo_checkpoints

    found = demo_checkpoints()
    sets = {(one.step, one.layer): LabelSet.of(one.labels, f"step {one.step}, layer {one.layer}") for one in found}
    moments = {one.step: TrainingMoment(one.tokens, one.held_out_loss) for one in found}
    return converge(sets, interval=True), moments


@cached(max_entries=8)
def convergence_of(keys: tuple[DictionaryKey, ...]) -> tuple[Convergence, tuple[str, ...]]:
    """Dictionaries of checkpoints of one model beside the last one's, and what is to be said of their order."""
    from itda_core.comparison import course_of
    from itda_core.comparison.over_training.convergence import convergence as converge

    course = course_of(label_sets(keys, "dictionary"))
    return converge(course.sets, names=course.checkpoints, interval=True), tuple(course.sentences())


@cached(max_entries=64)
def differences(
    keys: tuple[DictionaryKey, ...], by: str, exact: bool, must: bool, crop: bool, i: int, j: int
) -> Differences:
    """The labels that count in one cell of that matrix."""
    from itda_core.comparison.overlap.differences import differences as differ

    sets, comparable = label_sets(keys, by), comparability(keys, by, exact, must).places
    return differ((sets[i].only(comparable.labels(i, j)), sets[j].only(comparable.labels(j, i))), crop=crop)


def rebuilt(labels: Path) -> Rebuilt:
    """The dictionary whose labels are in the file `labels`, built with their own model into the library.

    Raises UserError as rebuild_into_library.
    """
    from itda_core.models import ModelSpec
    from itda_core.runs.rebuilding import labels_in, rebuild_into_library

    spec = labels_in(labels).spec
    return rebuild_into_library(str(labels), ModelSpec(spec.model, spec.revision))


def verify(
    key: DictionaryKey, corpus: str | None, sample: int, on_progress: Callable[[int, int], None]
) -> Verification:
    """Checks up to `sample` labels against the text they came from."""
    from itda_core.runs.verify import corpus_of
    from itda_core.runs.verify import verify as check

    with holder().lend(model_spec(key)) as model:
        return check(dictionary(key), model, corpus_of(dictionary(key), corpus), sample, on_progress=on_progress)


@st.cache_resource
def warm_up(key: DictionaryKey) -> threading.Thread:
    """Decomposes the example behind the first page, with all that has to be loaded for it; done when the thread has
    ended.

    All of it: while a page's script computes, a click on a link can be lost, because what the page's timers ask for
    meanwhile takes the place of what the click asked for.
    """

    def load() -> None:
        from itda_core.analysis import decompose_activations

        try:
            read_by = dictionary(key)
            if example(key) is not None:  # nothing is computed for it, and whoever types a prompt would wait longer
                decompose_activations(read_by, read_prompt(key, EXAMPLE))
            decomposition(key, EXAMPLE, read_by.config.k, read_by.config.method)
        except UserError:
            return  # whoever opens the dictionary is told; here nobody asked yet

    thread = threading.Thread(target=load, name="itda-warm-up", daemon=True)
    thread.start()
    return thread
