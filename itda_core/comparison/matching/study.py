"""Layer matching with every measure of similarity: several models, one corpus, the same tokens.

The task is that of Kornblith et al. (2019, section 6.1), the table that of the ITDA paper (table 1).
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from itda_core.arguments import plain, plain_list
from itda_core.comparison.label_sets import LabelSet
from itda_core.comparison.matching.accuracy import accuracy, same_layers
from itda_core.comparison.matching.harvest import Harvest, Harvested, harvest
from itda_core.comparison.matching.table import MatchTable, MeasureResult
from itda_core.comparison.measures.moments import Covariances
from itda_core.comparison.measures.pairwise import similarities
from itda_core.comparison.measures.representations import Compared, Representations
from itda_core.comparison.measures.table import ANCHORS, MEASURES, TABLE, Measure, check_measures, steps
from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.growing.training import train
from itda_core.errors import UserError
from itda_core.models.loading import load_model
from itda_core.models.spec import ModelSpec
from itda_core.text.corpus import Corpus

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedTokenizerBase

    from itda_core.models import LanguageModel

_SHARE_OF_MODELS = 0.85  # of the work, until the measures begin


@dataclass(frozen=True)
class MatchProgress:
    """Where a study stands."""

    step: str
    share: float  # of the work, 0 to 1, as far as can be told
    tokens: int  # read so far, of all models together
    seconds: float
    notes: tuple[str, ...] = ()
    table: MatchTable | None = None  # on the last progress only

    @property
    def done(self) -> bool:
        return self.table is not None


def match(
    models: Sequence[ModelSpec | str | Path],
    corpus: Corpus | str | Path,
    config: TrainConfig,
    *,
    layers: Sequence[int] | None = None,
    site: str = "resid_post",
    measures: Sequence[str] = MEASURES,
    anchors: int = ANCHORS,
    dictionaries: Sequence[Sequence[LabelSet]] | None = None,
    folder: Path | None = None,
) -> Generator[MatchProgress, None, None]:
    """Match the layers of `models` by each of `measures` (of measures.table); the last progress has the table.

    - One model is in memory at a time. Each is run once over the first `config.tokens` tokens of `corpus`; what it
      computes at `site` of the `layers` (None: all; see layer_matching.same_layers) is kept in `folder`, a file that is
      gone when the study is, or in memory;
    - Measures that need dictionaries get those that `config` grows from those very activations, or `dictionaries`, one
      LabelSet per model and layer;
    - activations and covariances are those of the tokens that all models have read (representations.Representations),
      special tokens, padding and attention sinks (`config.sinks`) left out; the tokens (`anchors` of them) that some
      measures describe others by are drawn by their prefix and `config.seed`;
    - seconds of a measure: what it alone takes once the activations are there; those of measures that need dictionaries
      hold their growth, those of measures of covariances the covariances that they share.

    Raises UserError for fewer than two models, an unknown measure, models of different depths where no layers are
    named, a missing `config.tokens`, too few tokens in common, a site without variance, and what `load_model`,
    `harvest` and `train` raise.
    """
    models = [model if isinstance(model, ModelSpec) else ModelSpec(os.fspath(model)) for model in models]
    layers, anchors = None if layers is None else plain_list(layers), plain(anchors)
    corpus = Corpus.of(corpus)
    if len(models) < 2:
        raise UserError(f"{len(models)} model(s) cannot be matched; name at least two.")
    check_measures(measures)
    if config.tokens is None:
        raise UserError("The number of tokens to compare on is missing; give one, for example 20000.")
    if anchors < 1:
        raise UserError(f"anchors={anchors} leaves nothing to compare with; give 1 or more, for example {ANCHORS}.")
    return _Study(models, corpus, config, site, measures, anchors, dictionaries, folder).run(layers)


class _Study:
    """One run of `match`."""

    def __init__(
        self,
        models: Sequence[ModelSpec],
        corpus: Corpus,
        config: TrainConfig,
        site: str,
        measures: Sequence[str],
        anchors: int,
        dictionaries: Sequence[Sequence[LabelSet]] | None,
        folder: Path | None,
    ) -> None:
        self._models, self._corpus, self._config, self._site = models, corpus, config, site
        self._measures, self._anchors, self._folder = measures, anchors, folder
        self._harvests: list[Harvest] = []
        self._labels: list[LabelSet] = [one for each in dictionaries or () for one in each]
        needed = any(measure.needs == "dictionaries" for measure in TABLE if measure.name in measures)
        self._grow = dictionaries is None and needed
        self._tokenizers: dict[str, PreTrainedTokenizerBase] = {}
        self._seconds = dict.fromkeys(("harvest", "growth"), 0.0)
        self._begun = time.perf_counter()
        self._tokens = 0
        self._notes: tuple[str, ...] = ()

    def run(self, layers: Sequence[int] | None) -> Generator[MatchProgress, None, None]:
        depths: list[int] = []
        chosen: tuple[int, ...] = ()
        for number, spec in enumerate(self._models):
            yield self._at(f"loading {spec.name}", number, 0)
            begun = time.perf_counter()
            model = load_model(spec, head=False)
            self._seconds["harvest"] += time.perf_counter() - begun
            depths.append(model.n_layers)
            chosen = same_layers([one.name for one in self._models[: len(depths)]], depths, layers)
            self._tokenizers[model.tokenizer_fingerprint] = model.tokenizer
            yield from self._read(model, chosen, number)
            del model  # so that two models need not fit into memory
        yield from self._measured(chosen)

    def _read(self, model: LanguageModel, layers: Sequence[int], number: int) -> Generator[MatchProgress, None, None]:
        """One model's activations, and its dictionaries."""
        config = self._config
        assert config.tokens is not None, "it was checked"
        part = 0.3 if self._grow else 1.0  # of a model's work
        begun = time.perf_counter()
        steps = harvest(
            model,
            self._corpus,
            [model.site(self._site, layer) for layer in layers],
            tokens=config.tokens,
            context=config.context,
            windows=config.windows,
            seed=config.seed,
            folder=self._folder,
        )
        before = self._tokens
        while True:
            try:
                done = next(steps)
            except StopIteration as ended:
                kept = ended.value
                break
            self._tokens = before + done
            yield self._at(f"reading the text with {model.name}", number, part * done / config.tokens)
        self._harvests.append(kept)
        self._seconds["harvest"] += time.perf_counter() - begun
        if len(kept.x) < config.tokens:
            note = (
                f"{self._corpus.id} gave {model.name} only {len(kept.x):,} tokens of the {config.tokens:,} asked for."
            )
            self._notes = (*self._notes, note)
        if not self._grow:
            return
        begun = time.perf_counter()
        source = Harvested(model, kept)
        for progress in train(source, self._corpus, list(layers), config, site=self._site):
            done = progress.tokens / config.tokens
            yield self._at(f"growing dictionaries of {model.name}", number, part + (1 - part) * done)
            self._labels += [LabelSet.of(one) for one in progress.dictionaries]
        self._seconds["growth"] += time.perf_counter() - begun

    def _measured(self, layers: tuple[int, ...]) -> Generator[MatchProgress, None, None]:
        together = Representations(self._harvests, self._config.sinks)
        if together.fraction < 1 and len(self._tokenizers) > 1:
            note = f"{together.fraction:.1%} of the tokens end where all models end a token; the others are left out."
            self._notes = (*self._notes, note)
        config = self._config
        compared = Compared(together, self._labels, self._anchors, config.seed, self._corpus, self._tokenizers)
        found: dict[str, tuple[np.ndarray, float]] = {}
        whole = steps()
        for number, (step, measures) in enumerate(whole):
            if wanted := [measure for measure in measures if measure.name in self._measures]:
                yield self._at(step, len(self._models), number / len(whole))
                found |= self._of(wanted, compared)
        results = []
        for name in self._measures:
            similarity, seconds = found[name]
            by_model = _by_model(similarity, len(self._models))
            results.append(MeasureResult.of(name, by_model, accuracy(by_model), seconds))
        sizes = [len(one) for one in self._labels]
        table = MatchTable(
            models=together.models,
            layers=layers,
            site=self._site,
            corpus=self._corpus.id,
            tokens=len(together),
            common_fraction=together.fraction,
            sinks_left_out=together.sinks,
            sizes=tuple(tuple(sizes[i : i + len(layers)]) for i in range(0, len(sizes), len(layers))),
            harvest_seconds=self._seconds["harvest"],
            seconds=time.perf_counter() - self._begun,
            measures=tuple(results),
            config=self._config.to_dict(),
        )
        yield replace(self._at("", len(self._models), 1), table=table)

    def _of(self, measures: Sequence[Measure], compared: Compared) -> dict[str, tuple[np.ndarray, float]]:
        """The similarities (n_places, n_places) by the measures of one step, and the seconds of each."""
        if measures[0].needs == "covariances":
            return _of_covariances(measures, compared.together)
        found = {}
        for measure in measures:
            begun = time.perf_counter()
            matrix = resolve_name(measure.compute)(compared)
            grown = self._seconds["growth"] if measure.needs == "dictionaries" else 0.0
            found[measure.name] = matrix, grown + time.perf_counter() - begun
        return found

    def _at(self, step: str, models: int, share: float) -> MatchProgress:
        """share: of the work with the next model, or, when `models` are all, with the measures."""
        whole = len(self._models)
        if models == whole:
            done = _SHARE_OF_MODELS + (1 - _SHARE_OF_MODELS) * share
        else:
            done = _SHARE_OF_MODELS * (models + share) / whole
        return MatchProgress(step, done, self._tokens, time.perf_counter() - self._begun, self._notes)


def _of_covariances(measures: Sequence[Measure], together: Representations) -> dict[str, tuple[np.ndarray, float]]:
    """All measures of covariances, in one pass over these, whose seconds count for each."""
    begun = time.perf_counter()
    covariances = Covariances(together.blocks, together.widths)
    results = similarities(covariances, [resolve_name(measure.compute)() for measure in measures], together.names)
    shared = time.perf_counter() - begun - sum(result.seconds for result in results)
    return {
        measure.name: (result.matrix.numpy(), shared + result.seconds)
        for measure, result in zip(measures, results, strict=True)
    }


def _by_model(matrix: np.ndarray, n_models: int) -> np.ndarray:
    """(n_places, n_places) as (n_models, n_models, n_layers, n_layers)."""
    n_layers = len(matrix) // n_models
    return matrix.reshape(n_models, n_layers, n_models, n_layers).transpose(0, 2, 1, 3)
