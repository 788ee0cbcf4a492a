"""Growing dictionaries of several sites from one pass over a corpus."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor

from itda_core.dictionaries import held_out
from itda_core.dictionaries.checkpoint import Checkpoints, Snapshot
from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.dictionary import AtomDictionary, DictionarySpec
from itda_core.dictionaries.growth import Growth, LayerProgress, RunningMean
from itda_core.dictionaries.provenance import to_frame
from itda_core.dictionaries.threshold import cosine_of
from itda_core.errors import UserError
from itda_core.text.windows import Window
from itda_core.text.windows import windows as windows_of

if TYPE_CHECKING:
    from itda_core.dictionaries.source import ActivationBatch, ActivationSource, Site
    from itda_core.text.corpus import Corpus

    Activations = Mapping[Site, Tensor]

WINDOWS_PER_BATCH = 16  # fixed: the last bits of a forward pass depend on it, and a resumed run must agree to the bit;
# what selection="paper" makes of a text depends on it altogether
MEAN_TOKENS = 8192  # from which the mean of a centred dictionary is estimated


@dataclass(frozen=True)
class TrainProgress:
    """Where a training stands after a forward batch."""

    tokens: int  # read so far, special ones not counted
    total: int | None  # config.tokens; None: the whole corpus, whatever its length
    seconds: float  # of work, over all sessions
    tokens_per_second: float  # of this session
    eta: float | None  # seconds to go; None while the total is unknown
    layers: tuple[LayerProgress, ...]
    done: bool = False
    dictionaries: tuple[AtomDictionary, ...] = ()  # one per layer, on the last progress only

    @property
    def atoms(self) -> int:
        """Of the first layer."""
        return self.layers[0].atoms

    @property
    def relative_error(self) -> float:
        """Of the first layer: the running mean, 0 to 1."""
        return self.layers[0].relative_error


def train(
    model: ActivationSource,
    corpus: Corpus,
    layers: Sequence[int | None],
    config: TrainConfig,
    *,
    site: str = "resid_post",
    work: Path | None = None,
    checkpoint_seconds: float = 20.0,
    resume: bool = False,
) -> Generator[TrainProgress, None, None]:
    """Grow one dictionary per layer, all from the same forward passes; yields after each, and once more when done.

    - `model`: a models.LanguageModel, or whatever streams activations as one does;
    - `config.tokens` counts exactly the tokens read, special ones left out; a corpus with fewer is read to its end, and
      when `config.atoms` is reached in every layer, reading ends as well. A layer that is full judges no more;
    - `config.centre`: the mean of the first MEAN_TOKENS tokens (of all, if fewer) is subtracted from every activation,
      theirs included;
    - `config.selection="paper"` judges one forward batch, WINDOWS_PER_BATCH windows, after the other; with
      `config.tokens`, the last one ends at that token. The dictionary's config has the threshold that was used, its
      stats what that means (`threshold_cosine`) and how many atoms equal an earlier one (`duplicate_atoms`);
    - `work`: a folder for checkpoints, one every `checkpoint_seconds`, and one when the generator is closed or the run
      interrupted; with `resume` it goes on from there (or begins, if there is none) and ends, to the bit, with the same
      dictionaries as a run left alone. Without `resume`, earlier checkpoints in the folder are removed;
    - the finished dictionaries are measured on the next held_out.MOST_TOKENS tokens of the corpus; where fewer than
      held_out.FEWEST_TOKENS are left, on the first of the training text (`stats["fvu_text"]` says which).

    Raises UserError at once for a layer or site the model does not have, a context longer than the model's and a
    threshold that can add no atom; later for a corpus without any token, a checkpoint of another run, a full disk,
    activations with NaN.
    """
    if config.context > model.context:
        raise UserError(
            f"context={config.context} is longer than the {model.context} tokens {model.name} can read; "
            f"choose at most {model.context}."
        )
    sites = [model.site(site, layer) for layer in layers]
    if not sites or len(set(sites)) < len(sites):
        given = ", ".join(map(str, layers)) or "none"
        raise UserError(f"Layers {given} were asked for; name at least one, and each once.")
    if any(read.module is None for read in sites):  # what a module gives may be narrower or wider
        config.threshold_for(model.d_model)
    run = _Run(model, corpus, sites, config)
    checkpoints = None if work is None else Checkpoints(work, run.identity())
    return run.progress(checkpoints, checkpoint_seconds, resume)


class _Run:
    """One training."""

    def __init__(self, model: ActivationSource, corpus: Corpus, sites: list[Site], config: TrainConfig) -> None:
        self._model, self._corpus, self._sites, self._config = model, corpus, sites, config
        self._growths = [Growth(site, config) for site in sites]
        self._before = self._now = self._safe = Snapshot(layers=tuple(growth.totals for growth in self._growths))
        # _before: where this session began; _now: where it stands; _safe: where a later session can go on
        self._special: deque[int] = deque()  # special tokens of each window handed out whose batch is yet to come
        self._started = time.monotonic()

    def identity(self) -> dict[str, Any]:
        return {
            "model": self._model.fingerprint,
            "tokenizer": self._model.tokenizer_fingerprint,
            "dtype": str(self._model.dtype),
            "corpus": self._corpus.fingerprint,
            "sites": [site.name for site in self._sites],
            "config": self._config.to_dict(),
            "windows per batch": WINDOWS_PER_BATCH,
        }

    def progress(
        self, checkpoints: Checkpoints | None, checkpoint_seconds: float, resume: bool
    ) -> Generator[TrainProgress, None, None]:
        self._started = time.monotonic()
        if checkpoints is not None:
            self._begin(checkpoints, resume)
        saved, saved_at = self._safe, time.monotonic()
        try:
            batches = self._batches()
            unused: Activations = {}
            while not self._ended and (batch := next(batches, None)) is not None:
                unused = self._take(batch)
                if not unused:  # a batch that is used in part is not done: a resumed run reads it again
                    self._safe = self._now
                due = self._safe != saved and time.monotonic() - saved_at >= checkpoint_seconds
                if checkpoints is not None and due:
                    checkpoints.save(self._safe, self._growths)
                    saved, saved_at = self._safe, time.monotonic()
                if batch.tokens:
                    yield self._report()
            dictionaries = self._finish(chain([unused] if unused else [], (batch.activations for batch in batches)))
        except BaseException:
            if checkpoints is not None and self._safe != saved:
                checkpoints.save(self._safe, self._growths)
            raise
        yield self._report(dictionaries)

    def _begin(self, checkpoints: Checkpoints, resume: bool) -> None:
        checkpoints.clear(only_partial=resume)
        loaded = checkpoints.load(self._growths, self._model.device)
        if loaded is not None:
            self._before = self._now = self._safe = loaded

    @property
    def _ended(self) -> bool:
        wanted = self._config.tokens
        return (wanted is not None and self._now.tokens >= wanted) or all(growth.full for growth in self._growths)

    def _windows(self) -> Iterator[Window]:
        which = cast("Literal['all', 'first']", self._config.windows)
        return windows_of(self._corpus, self._model.tokenizer, context=self._config.context, which=which)

    def _stream(self, windows: Iterable[Window]) -> Iterator[ActivationBatch]:
        return self._model.stream(windows, self._sites, windows_per_batch=WINDOWS_PER_BATCH)

    def _batches(self) -> Iterator[ActivationBatch]:
        """What is left of the corpus; where means are wanted and not known yet, they are, once the first is given."""
        batches = self._stream(self._counted(islice(self._windows(), self._before.windows, None)))
        if not self._config.centre or self._growths[0].mean is not None:
            yield from batches
            return
        means = [RunningMean(min(MEAN_TOKENS, self._config.tokens or MEAN_TOKENS)) for _ in self._sites]
        ahead: list[ActivationBatch] = []
        while means[0].room and (batch := next(batches, None)) is not None:
            ahead.append(batch)
            for site, mean in zip(self._sites, means, strict=True):
                mean.take(batch.activations[site])
        for growth, mean in zip(self._growths, means, strict=True):
            growth.mean = mean.value()
        while ahead:
            yield ahead.pop(0)
        yield from batches

    def _counted(self, windows: Iterable[Window]) -> Iterator[Window]:
        for window in windows:
            self._special.append(sum(window.special))
            yield window

    def _take(self, batch: ActivationBatch) -> Activations:
        """Judge a batch; returns the activations of those tokens at its end that are not wanted any more, if any."""
        n_tokens = len(batch.tokens)
        wanted = n_tokens if self._config.tokens is None else min(n_tokens, self._config.tokens - self._now.tokens)
        used = 0
        for growth in self._growths:
            if wanted and not growth.full:
                used = max(used, growth.take(batch.tokens[:wanted], batch.activations[growth.site][:wanted]))
        windows = self._before.windows + batch.windows
        special = sum(self._special.popleft() for _ in range(windows - self._now.windows))
        self._now = Snapshot(
            windows=windows,
            tokens=self._now.tokens + used,
            special=self._now.special + special,
            seconds=self._before.seconds + time.monotonic() - self._started,
            layers=tuple(growth.totals for growth in self._growths),
        )
        return {site: x[used:] for site, x in batch.activations.items()} if used < n_tokens else {}

    def _report(self, dictionaries: tuple[AtomDictionary, ...] = ()) -> TrainProgress:
        elapsed = self._now.seconds - self._before.seconds
        rate = (self._now.tokens - self._before.tokens) / elapsed if elapsed > 0 else 0.0
        left = None if self._config.tokens is None else max(0, self._config.tokens - self._now.tokens)
        return TrainProgress(
            tokens=self._now.tokens,
            total=self._config.tokens,
            seconds=self._now.seconds,
            tokens_per_second=rate,
            eta=0.0 if dictionaries else (left / rate if left is not None and rate > 0 else None),
            layers=tuple(growth.progress() for growth in self._growths),
            done=bool(dictionaries),
            dictionaries=dictionaries,
        )

    def _finish(self, unused: Iterable[Activations]) -> tuple[AtomDictionary, ...]:
        """The dictionaries, measured; `unused` are the activations of the corpus after those read."""
        if self._now.tokens == 0:
            raise UserError(
                f"Corpus {self._corpus.id} gave no token of text to {self._model.name}; choose one with more text."
            )
        held, text = held_out.collect(unused), "held-out"
        if min((len(x) for x in held.values()), default=0) < held_out.FEWEST_TOKENS:
            again = (batch.activations for batch in self._stream(self._windows()))
            held, text = held_out.collect(again, min(held_out.MOST_TOKENS, self._now.tokens)), "training"
        return tuple(self._dictionary(growth, held[growth.site], text) for growth in self._growths)

    def _dictionary(self, growth: Growth, held: Tensor, text: str) -> AtomDictionary:
        totals, now = growth.totals, self._now
        if not totals.atoms:
            raise UserError(
                f"Every activation at {growth.site.name} of {self._model.name} was zero; choose another site."
            )
        atoms = growth.atoms
        spec = DictionarySpec(
            model=self._model.name,
            revision=self._model.revision,
            weights_fingerprint=self._model.fingerprint,
            tokenizer_fingerprint=self._model.tokenizer_fingerprint,
            layer=growth.site.layer,
            site=growth.site_name,
            d_model=atoms.shape[1],
            corpus=self._corpus.id,
            corpus_fingerprint=self._corpus.fingerprint,
        )
        mean = torch.zeros_like(atoms[0]) if growth.mean is None else growth.mean
        config = replace(self._config, threshold=self._config.threshold_for(spec.d_model))
        dictionary = AtomDictionary(atoms, mean, to_frame(growth.labels), spec, config, {}, gram=growth.gram)
        measured = held_out.quality(dictionary, held)
        dictionary.stats.update(
            tokens=totals.judged + totals.skipped,
            windows=now.windows,
            seconds=now.seconds,
            tokens_per_second=now.tokens / now.seconds,
            mean_relative_error=totals.error_sum / totals.judged,
            fvu=measured.fvu,
            relative_error=measured.relative_error,
            fvu_tokens=len(held),
            fvu_text=text,
            special_tokens_left_out=now.special,
            zero_activations_left_out=totals.skipped,
        )
        if config.selection == "paper":
            dictionary.stats.update(
                threshold_cosine=cosine_of(config.threshold_for(spec.d_model), spec.d_model),
                duplicate_atoms=len(atoms) - len(torch.unique(atoms.cpu(), dim=0)),
            )
        return dictionary
