"""Measuring dictionaries of any models, each on its own corpus or all on one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from itda_core.errors import UserError
from itda_core.fingerprints import by_model, same_model
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.library import Library
from itda_core.runs.model_of import model_of
from itda_core.runs.verify import corpus_of
from itda_core.time_left import time_left

if TYPE_CHECKING:
    from itda_core.analysis import Evaluation, EvaluationProgress
    from itda_core.dictionaries import AtomDictionary
    from itda_core.models import LanguageModel
    from itda_core.text import Corpus


def evaluate_dictionaries(
    paths: Sequence[Path],
    *,
    corpus: str | None = None,
    ks: Sequence[int] | None = None,
    methods: Sequence[str] | None = None,
    tokens: int | None = None,
    model: str | None = None,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    offline: bool = False,
    trust_remote_code: bool = False,
    placement: str = "auto",
    on_step: Callable[[str], None] = lambda _: None,
) -> Generator[EvaluationProgress, None, None]:
    """`analysis.evaluate` for dictionaries in folders; results come in the order of `paths`.

    A model is loaded once for all its dictionaries, a corpus opened once, and only one model is held at a time.
    `corpus` None: each dictionary's own. `model` is where the dictionaries' model is now, as for `model_of`. Progress
    counts the text of all of them. Raises UserError as `evaluate`, `model_of` and `corpus_of` do; what can be seen
    without a model is looked at before one is loaded.
    """
    from itda_core.analysis import evaluate
    from itda_core.analysis.evaluate import TOKENS, encodings_of
    from itda_core.dictionaries import AtomDictionary

    tokens = TOKENS if tokens is None else tokens
    if tokens < 1:
        raise UserError(f"tokens={tokens} measures nothing; give at least 1, for example {TOKENS}.")
    on_step("reading dictionaries")
    dictionaries = [AtomDictionary.load(path) for path in dict.fromkeys(paths)]
    encodings_of(dictionaries, ks, methods)
    opened: dict[str, Corpus] = {}
    corpora = [_opened(dictionary, corpus, opened) for dictionary in dictionaries]
    model_of_print = by_model(dictionary.spec.weights_fingerprint for dictionary in dictionaries)
    groups: dict[tuple[str, str], list[int]] = {}  # model, corpus: what shares them is measured on one text
    for i, dictionary in enumerate(dictionaries):
        own = model_of_print[dictionary.spec.weights_fingerprint]
        groups.setdefault((own, corpora[i].fingerprint), []).append(i)
    where = (model, revision, device, dtype, offline, trust_remote_code, placement)
    so_far = _SoFar(len(groups), {str(dictionary.path): i for i, dictionary in enumerate(dictionaries)})
    loaded: LanguageModel | None = None
    for (weights, _), members in sorted(groups.items(), key=lambda group: group[0][0]):
        if loaded is None or not same_model(loaded.fingerprint, weights):
            loaded = None  # so that two models need not fit into memory
            on_step("loading the model")
            loaded = model_of(dictionaries[members[0]], *where)
        several = [dictionaries[i] for i in members]
        yield from so_far.of_all(evaluate(loaded, several, corpora[members[0]], ks=ks, methods=methods, tokens=tokens))


class _SoFar:
    """The progress of the groups of dictionaries before the current one."""

    def __init__(self, n_groups: int, order: Mapping[str, int]) -> None:
        """order: the position of each dictionary, by its path, among the results."""
        self._n_groups, self._order = n_groups, order
        self._ended = 0  # groups
        self._notes: tuple[str, ...] = ()
        self._seconds = 0.0
        self._results: tuple[Evaluation, ...] = ()

    def of_all(self, group: Iterable[EvaluationProgress]) -> Iterator[EvaluationProgress]:
        """The progress of one group as that of all of them; at its end the group is added to what was before."""
        whole = None
        for progress in group:
            share = (self._ended + progress.share) / self._n_groups
            seconds = self._seconds + progress.seconds
            results = sorted([*self._results, *progress.results], key=lambda result: self._order[result.dictionary])
            yield (
                whole := replace(
                    progress,
                    share=share,
                    seconds=seconds,
                    eta=time_left(share, seconds),
                    notes=(*self._notes, *progress.notes),
                    results=tuple(results),
                    done=progress.done and self._ended + 1 == self._n_groups,
                )
            )
        assert whole is not None, "an evaluation ends with its results"
        self._ended += 1
        self._notes, self._seconds, self._results = whole.notes, whole.seconds, whole.results


def measure(
    request: EvaluateRequest, *, on_step: Callable[[str], None] = lambda _: None
) -> Generator[EvaluationProgress, None, None]:
    """What `request` asks for, as `evaluate_dictionaries`. Raises UserError for a dictionary that does not exist."""
    library = Library(request.library)
    return evaluate_dictionaries(
        [library.find(name) for name in request.dictionaries],
        corpus=request.corpus,
        ks=request.ks or None,
        methods=request.methods or None,
        tokens=request.tokens,
        model=request.model,
        **request.loading(),
        on_step=on_step,
    )


def _opened(dictionary: AtomDictionary, reference: str | None, opened: dict[str, Corpus]) -> Corpus:
    name = dictionary.spec.corpus if reference is None else reference
    if name not in opened:
        opened[name] = corpus_of(dictionary, reference)
    return opened[name]
