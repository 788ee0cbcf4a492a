"""Growing dictionaries of several sites from one pass over a corpus."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from torch import Tensor

from itda_core.arguments import plain_list, user_path
from itda_core.dictionaries.activation_source import TOGETHER, sites_to_read
from itda_core.dictionaries.checkpoints.checkpoint import Checkpoints, reservoir_folder
from itda_core.dictionaries.checkpoints.initial import fingerprint, placed
from itda_core.dictionaries.checkpoints.saving import Saving
from itda_core.dictionaries.checkpoints.snapshot import Snapshot, Stage
from itda_core.dictionaries.choosing.pace import Pace
from itda_core.dictionaries.config import LOOSENED, TrainConfig
from itda_core.dictionaries.dictionary import AtomDictionary
from itda_core.dictionaries.growing import held_out, paper
from itda_core.dictionaries.growing.finishing import MeasuredText, finished_dictionary
from itda_core.dictionaries.growing.going_further import next_stage, restore_from
from itda_core.dictionaries.growing.growth import Growth
from itda_core.dictionaries.growing.progress import ReadingPace, TrainProgress
from itda_core.dictionaries.growing.stream_statistics import after_statistics
from itda_core.dictionaries.growing.training_windows import WINDOWS_PER_BATCH, windows_of_training, without_first
from itda_core.dictionaries.training_stage import StageName, TrainingStage
from itda_core.errors import UserError
from itda_core.text.corpus import Corpus
from itda_core.text.windows import Window

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from itda_core.dictionaries.activation_source import ActivationBatch, ActivationSource, Site

    Activations = Mapping[Site, Tensor]


def train(
    model: ActivationSource,
    corpus: Corpus | str | Path,
    layers: Sequence[int | None] | int,
    config: TrainConfig,
    *,
    site: str = "resid_post",
    work: str | Path | None = None,
    checkpoint_seconds: float = 20.0,
    resume: bool = False,
    extend: Sequence[AtomDictionary] = (),
    initial: Sequence[AtomDictionary] = (),
) -> Generator[TrainProgress, None, None]:
    """Grow one dictionary per layer, all from the same forward passes; yields after each, and once more when done.

    - `model`: a models.LanguageModel, or whatever streams activations as one does; `corpus`: also what Corpus.open
      takes; `layers`: also one number, or an array of NumPy;
    - `config.tokens` counts exactly the tokens read, special ones left out; a corpus with fewer is read to its end, and
      when `config.atoms` is reached in every layer, reading ends as well. A layer that is full judges no more;
    - `config.centre` and `config.sinks`: see `stream_statistics`. Attention sinks (module sinks) are neither judged nor
      taken as atoms, nor counted in the mean or in how well the dictionary does; `stats["sinks_left_out"]` counts them;
    - `config.selection="paper"` judges one forward batch, WINDOWS_PER_BATCH windows, after the other; with
      `config.tokens`, the last one ends at that token. The dictionary's config has the threshold that was used, its
      stats what that means (`threshold_cosine`) and how many atoms equal an earlier one (`duplicate_atoms`);
    - `config.selection` of config.SIZED: see sampled.SampledGrowth. Atoms are chosen once the text is read, with a
      progress for each step. With `work`, what they are chosen from lies there on disk; without, in memory;
    - `work`: a folder for checkpoints, one every `checkpoint_seconds`, and one when the generator is closed or the run
      interrupted, and at the end; with `resume` it goes on from there (or begins, if there is none) and ends with the
      same dictionaries as a run left alone: to the bit on the same machine with as many threads, because it reads the
      same batches; another processor rounds otherwise. Without `resume`, earlier checkpoints there are removed;
    - a run that is resumed may ask for more than before, see `going_further`; `extend`: the finished dictionaries of
      such a run, one per layer, to go on from where `work` has no checkpoint;
    - `initial`: dictionaries to begin with, at most one per layer, for selections config.EXTENDED, see `initial`;
    - the finished dictionaries are measured on the next held_out.MOST_TOKENS tokens of the corpus; where fewer than
      held_out.FEWEST_TOKENS are left, on the first of the training text (`stats["fvu_text"]` says which).

    Raises UserError at once for a layer or site the model does not have, a context longer than the model's, a
    threshold that can add no atom and an initial dictionary that does not fit; later for a corpus without any token or
    with fewer different activations than atoms were wanted, a checkpoint of another run, a full disk, activations with
    NaN.
    """
    how: dict[str, Any] = {"work": work, "checkpoint_seconds": checkpoint_seconds, "resume": resume}
    return train_and_tell(
        model, corpus, layers, config, lambda _: None, site=site, extend=extend, initial=initial, **how
    )


def train_and_tell(
    model: ActivationSource,
    corpus: Corpus | str | Path,
    layers: Sequence[int | None] | int,
    config: TrainConfig,
    tell: Callable[[TrainProgress], None],
    *,
    site: str,
    work: str | Path | None,
    checkpoint_seconds: float,
    resume: bool,
    extend: Sequence[AtomDictionary],
    initial: Sequence[AtomDictionary],
) -> Generator[TrainProgress, None, None]:
    """`train`, which also tells how far it is in the stages between what it yields: reading ahead, labelling, reading
    held-out text, measuring. What `tell` raises ends the training, its state saved.
    """
    layers, corpus = plain_list(layers), Corpus.of(corpus)
    work = None if work is None else user_path(work)
    sites = sites_to_read(model, layers, site, config)
    if extend and not config.rule.extends:
        raise UserError(f"Dictionaries of selection={config.selection!r} cannot be extended; train anew.")
    run = _Run(model, corpus, sites, config, extend, placed(initial, sites, model, corpus, config), work, tell)
    return run.progress(None if work is None else Checkpoints(work, run.identity), checkpoint_seconds, resume)


def windows_to_read(corpus: Corpus, tokenizer: PreTrainedTokenizerBase, config: TrainConfig) -> Iterator[Window]:
    """The windows of which `train` asks its model for activations at most, those of the measuring at its end included;
    whole forward batches of them."""
    wanted = None if config.tokens is None else config.tokens + held_out.MOST_TOKENS
    read = 0
    windows = windows_of_training(corpus, tokenizer, config)
    while (wanted is None or read < wanted) and (batch := list(islice(windows, WINDOWS_PER_BATCH))):
        read += sum(not special for window in batch for special in window.special)
        yield from batch


def how_made(model: ActivationSource, config: TrainConfig, initial: str | None) -> dict[str, Any]:
    """What a training must share, beside the config, with one that goes on from it.

    initial: the fingerprint of what it begins with. Values that never changed are left out, so that earlier
    records match; checkpoint.UNSAID holds them.
    """
    made: dict[str, Any] = {"dtype": str(model.dtype), "windows per batch": WINDOWS_PER_BATCH}
    if config.rule.by_width:
        made["paper rule"] = paper.RULE
    if model.batching != TOGETHER:
        made["windows read"] = "alone"  # or as if they were
    return made if initial is None else {**made, "initial": initial}


class _Run:
    """One training."""

    def __init__(
        self,
        model: ActivationSource,
        corpus: Corpus,
        sites: list[Site],
        config: TrainConfig,
        extend: Sequence[AtomDictionary],
        initial: Mapping[int, AtomDictionary],
        work: Path | None,
        tell: Callable[[TrainProgress], None],
    ) -> None:
        self._model, self._corpus, self._sites, self._config, self._extend = model, corpus, sites, config, extend
        self._tell, self._initial = tell, fingerprint(initial)
        grow: type[Growth] = resolve_name(config.rule.growth)
        self._growths = [
            grow(site, config, initial.get(i), None if work is None else reservoir_folder(work, i))
            for i, site in enumerate(sites)
        ]
        self._before = self._now = self._safe = Snapshot(layers=tuple(growth.totals for growth in self._growths))
        # _before: where this session began; _now: where it stands; _safe: where a later session can go on
        self._special: deque[int] = deque()  # special tokens of each window handed out whose batch is yet to come
        self._streamed_from = 0  # windows before the stream that is being read
        self._again = False  # whether the text is to be read once more where none is left
        self._started = time.monotonic()
        self._pace = ReadingPace()
        self._early: dict[str, bool] = {}  # why fewer tokens were read than were wanted: fields of TrainProgress

    def identity(self) -> dict[str, Any]:
        """What a run must share with one it goes on from."""
        config = self._config.to_dict()
        if self._config.rule.extends:
            config = {name: value for name, value in config.items() if name not in LOOSENED}
        return {
            "model": self._model.fingerprint,
            "tokenizer": self._model.tokenizer_fingerprint,
            "corpus": self._corpus.fingerprint,
            "sites": [site.name for site in self._sites],
            "config": config,
            **self._made(),
        }

    def progress(
        self, checkpoints: Checkpoints | None, checkpoint_seconds: float, resume: bool
    ) -> Generator[TrainProgress, None, None]:
        self._started = time.monotonic()
        self._begin(checkpoints, resume)
        saving = Saving(checkpoints, self._growths, checkpoint_seconds, self._safe)
        try:
            rest = yield from self._read(saving)
            yield from self._choose(saving)
            dictionaries = self._finish(rest)
        except BaseException:
            saving.now(self._safe)
            raise
        n_sites = len(self._sites)
        at = TrainingStage("measuring", n_sites, n_sites, self._sites[-1].layer, n_sites, n_sites)
        yield self._report(dictionaries, at=at, eta=0.0, later=0.0)

    def _read(self, saving: Saving) -> Generator[TrainProgress, None, Iterator[Activations]]:
        """Take the text in; returns the activations of what follows it."""
        while True:
            batches = self._batches()
            unused: Activations = {}
            while not self._ended and (batch := next(batches, None)) is not None:
                unused = self._take(batch)
                self._safe = self._now
                saving.when_due(self._safe)
                if batch.tokens:
                    yield self._report()
            if not self._rewind():
                break
        self._early = {"text_ended": bool(self._left) and not self._ended, "full": self._left != 0 and self._ended}
        saving.now(self._safe)
        return chain([unused] if unused else [], (batch.activations for batch in batches))

    def _choose(self, saving: Saving) -> Generator[TrainProgress, None, None]:
        """Choose atoms once the text is read, site by site."""
        read, pace = self._now.seconds, Pace(lambda: [growth.left for growth in self._growths])
        for number, growth in enumerate(self._growths):
            some, at = False, partial(self._choosing, pace, number)
            if growth.left.rounds:
                self._tell(at("choosing", *growth.step))
            for _ in growth.settle(lambda done, total, at=at: self._tell(at("labelling", done, total))):
                some = True
                pace.round_done()
                self._chose_on(read + pace.seconds)
                saving.when_due(self._safe)
                yield at("choosing", *growth.step)
            if some:
                self._chose_on(read + pace.seconds)
                saving.now(self._safe)
            growth.release()

    def _choosing(self, pace: Pace, number: int, name: StageName, done: int, total: int) -> TrainProgress:
        """How far the rounds, or the labels, of site `number` are."""
        at = TrainingStage(name, done, total, self._sites[number].layer, number + 1, len(self._sites))
        left = pace.time_left()
        eta, later = (left.rounds, left.labels) if name == "choosing" else (left.labels, left.rounds or 0.0)
        return self._report(at=at, eta=eta, later=later + self._held_out_seconds, rough=left.rough)

    def _chose_on(self, seconds: float) -> None:
        """A step of choosing was done, `seconds` of work since the run began."""
        layers = tuple(growth.totals for growth in self._growths)
        self._now = self._safe = self._now._replace(seconds=seconds, layers=layers, steps=self._now.steps + 1)

    def _begin(self, checkpoints: Checkpoints | None, resume: bool) -> None:
        loaded = None
        if checkpoints is not None:
            checkpoints.clear(only_partial=resume)
            loaded = checkpoints.load(self._growths, self._model.device)
        if loaded is None and self._extend:
            loaded = restore_from(self._extend, self._growths, self.identity(), self._model.device)
        now = self._now if loaded is None else loaded
        stage = Stage.of(self._config, now)
        if not now.stages:
            now = now._replace(stages=(stage,))
        elif now.stages[-1].config(self._config) != self._config:
            now, self._again = next_stage(self._growths, self._config, now, stage)
        self._before = self._now = self._safe = now

    def _rewind(self) -> bool:
        """Go back to the beginning of the text if a new stage found none left to read; returns whether it did."""
        now = self._now
        idle = now.tokens == now.stages[-1].begun
        if not (self._again and idle and now.tokens) or all(growth.full for growth in self._growths):
            return False
        self._again = False
        self._now = self._safe = now._replace(whole=0, skip=0, passes=now.passes + 1, pass_begun=now.tokens)
        return True

    @property
    def _ended(self) -> bool:
        return self._left == 0 or all(growth.full for growth in self._growths)

    @property
    def _left(self) -> int | None:
        """Tokens still to read; None while the length of the text is not known."""
        wanted = self._config.tokens
        return None if wanted is None else max(0, wanted - self._now.tokens_of_pass)

    def _windows(self) -> Iterator[Window]:
        return windows_of_training(self._corpus, self._model.tokenizer, self._config)

    def _stream(self, windows: Iterable[Window]) -> Iterator[ActivationBatch]:
        return self._model.stream(windows, self._sites, windows_per_batch=WINDOWS_PER_BATCH)

    def _batches(self) -> Iterator[ActivationBatch]:
        """The batches left of the corpus; statistics of its first tokens are known once the first batch is given."""
        self._streamed_from = self._now.whole
        self._special.clear()
        batches = self._stream(self._counted(islice(self._windows(), self._streamed_from, None)))
        if self._now.skip:
            batches = without_first(batches, self._now.skip)
        if not self._growths[0].begun:
            batches = after_statistics(batches, self._growths, self._config, self._read_ahead)
        return batches

    def _read_ahead(self, done: int, total: int) -> None:
        """So many tokens were looked at for what is told by the first ones."""
        self._pace.looked_ahead(done, time.monotonic() - self._started)
        self._tell(self._report(at=TrainingStage("ahead", done, total), rough=True))

    def _counted(self, windows: Iterable[Window]) -> Iterator[Window]:
        for window in windows:
            self._special.append(sum(window.special))
            yield window

    def _take(self, batch: ActivationBatch) -> Activations:
        """Judge a batch; returns the activations of those tokens at its end that are not wanted any more, if any."""
        n_tokens, now = len(batch.tokens), self._now
        wanted = n_tokens if self._left is None else min(n_tokens, self._left)
        used = 0
        for growth in self._growths:
            if wanted and not growth.full:
                used = max(used, growth.take(batch.tokens[:wanted], batch.activations[growth.site][:wanted]))
        windows = self._streamed_from + batch.windows
        special = [self._special.popleft() for _ in range(windows - now.whole)]
        done = used == n_tokens
        self._now = now._replace(
            windows=max(now.windows, windows),
            whole=windows if done else now.whole,
            skip=0 if done else now.skip + used,
            tokens=now.tokens + used,
            special=now.special + sum(special[max(0, now.windows - now.whole) :]),  # each window's once
            seconds=self._before.seconds + time.monotonic() - self._started,
            layers=tuple(growth.totals for growth in self._growths),
        )
        self._pace.judged(self._now.tokens - self._before.tokens, self._now.seconds - self._before.seconds)
        return {site: x[used:] for site, x in batch.activations.items()} if used < n_tokens else {}

    def _report(self, dictionaries: tuple[AtomDictionary, ...] = (), **changed: Any) -> TrainProgress:
        """Where the training stands: in reading, unless the fields that are `changed` say otherwise."""
        left, rate = 0 if dictionaries else self._left, self._pace.reckoned
        return TrainProgress(
            tokens=self._now.tokens,
            total=None if self._config.tokens is None else self._now.pass_begun + self._config.tokens,
            seconds=self._now.seconds,
            tokens_per_second=self._now.tokens / self._now.seconds if dictionaries else self._pace.shown,
            layers=tuple(growth.progress(left) for growth in self._growths),
            done=bool(dictionaries),
            dictionaries=dictionaries,
            **self._early,
            **{"eta": None if left is None or rate <= 0 else left / rate, "later": self._held_out_seconds, **changed},
        )

    @property
    def _held_out_seconds(self) -> float:
        """About how long reading the text to measure on will take; 0 where nothing is known."""
        rate = self._pace.reckoned
        return held_out.MOST_TOKENS / rate if rate > 0 else 0.0

    def _finish(self, unused: Iterable[Activations]) -> tuple[AtomDictionary, ...]:
        """The dictionaries, measured; `unused` are the activations of the corpus after those read."""
        if self._now.tokens == 0:
            raise UserError(
                f"Corpus {self._corpus.id} gave no token of text to {self._model.name}; choose one with more text."
            )
        ended = time.monotonic()
        if self._now.passes > 1:  # what follows in this pass may have been read in an earlier one
            unused = (batch.activations for batch in self._stream(islice(self._windows(), self._now.windows, None)))
        held, kind = held_out.collect(self._counted_held_out(unused, held_out.MOST_TOKENS)), "held-out"
        if min((len(x) for x in held.values()), default=0) < held_out.FEWEST_TOKENS:
            most = min(held_out.MOST_TOKENS, self._now.tokens_of_pass)
            again = (batch.activations for batch in self._stream(self._windows()))
            held, kind = held_out.collect(self._counted_held_out(again, most), most), "training"
        run = self._model, self._corpus, self._config, self._now, self._made()
        begun, finished, n_sites = time.monotonic(), list[AtomDictionary](), len(self._sites)
        for number, growth in enumerate(self._growths):
            at = TrainingStage("measuring", number, n_sites, growth.site.layer, number + 1, n_sites)
            eta = (time.monotonic() - begun) / number * (n_sites - number) if number else None
            self._tell(self._report(at=at, eta=eta, later=0.0))
            finished.append(finished_dictionary(growth, number, *run, MeasuredText(held[growth.site], kind)))
        for dictionary in finished:  # what later trainings go by
            dictionary.stats["reading"] = {**self._pace.steady, "measuring": time.monotonic() - ended}
        return tuple(finished)

    def _counted_held_out(self, parts: Iterable[Activations], most: int) -> Iterator[Activations]:
        """The same activations of text to measure on, at most `most` of which are wanted; tells how far they are."""
        read = 0
        for part in parts:
            read = min(most, read + max(map(len, part.values()), default=0))
            eta = (most - read) / rate if (rate := self._pace.reckoned) > 0 else None
            self._tell(self._report(at=TrainingStage("held-out", read, most), eta=eta, later=0.0))
            yield part

    def _made(self) -> dict[str, Any]:
        """See `how_made`."""
        return how_made(self._model, self._config, self._initial)
