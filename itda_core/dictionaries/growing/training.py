"""Growing dictionaries of several sites from one pass over a corpus."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from itda_core.arguments import plain_list, user_path
from itda_core.dictionaries.activation_source import TOGETHER
from itda_core.dictionaries.checkpoints.checkpoint import Checkpoints, differences, pool_folder
from itda_core.dictionaries.checkpoints.initial import described, fingerprint, placed
from itda_core.dictionaries.checkpoints.saving import Saving
from itda_core.dictionaries.checkpoints.snapshot import Snapshot, Stage, snapshot_of
from itda_core.dictionaries.config import LOOSENED, TrainConfig
from itda_core.dictionaries.dictionary import AtomDictionary, DictionarySpec
from itda_core.dictionaries.growing import held_out, paper
from itda_core.dictionaries.growing.growth import Growth, Kept, LayerProgress
from itda_core.dictionaries.growing.stream_statistics import survey, tokens_to_survey
from itda_core.dictionaries.growing.training_windows import windows_of_training
from itda_core.dictionaries.provenance import to_frame, to_labels
from itda_core.dictionaries.threshold import cosine_of
from itda_core.errors import UserError
from itda_core.text.corpus import Corpus
from itda_core.text.windows import Window

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from itda_core.dictionaries.activation_source import ActivationBatch, ActivationSource, Site
    from itda_core.text.windows import TokenRef

    Activations = Mapping[Site, Tensor]

WINDOWS_PER_BATCH = 16  # fixed: the last bits of a forward pass depend on it, and a resumed run must agree to the bit;
# what selection="paper" makes of a text depends on it altogether


@dataclass(frozen=True)
class TrainProgress:
    """Where a training stands after a forward batch."""

    tokens: int  # read so far, special ones not counted; of a text that is read again, over all passes
    total: int | None  # to read, likewise; None: the whole corpus, whatever its length
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
    def choosing(self) -> str | None:
        """What is done once the text is read, by the selections that choose atoms then."""
        begun = [layer for layer in self.layers if layer.step]
        if not begun:
            return None
        where = begun[-1].site if begun[-1].layer is None else f"layer {begun[-1].layer}"
        return f"choosing atoms of {where}: step {begun[-1].step} of {begun[-1].steps}"

    @property
    def relative_error(self) -> float:
        """Of the first layer: the running mean, 0 to 1."""
        return self.layers[0].relative_error


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
    - `config.centre`: the mean of the first survey.MEAN_TOKENS tokens (of all, if fewer) is subtracted from every
      activation, theirs included;
    - `config.selection="paper"` judges one forward batch, WINDOWS_PER_BATCH windows, after the other; with
      `config.tokens`, the last one ends at that token. The dictionary's config has the threshold that was used, its
      stats what that means (`threshold_cosine`) and how many atoms equal an earlier one (`duplicate_atoms`);
    - `work`: a folder for checkpoints, one every `checkpoint_seconds`, and one when the generator is closed or the run
      interrupted, and at the end; with `resume` it goes on from there (or begins, if there is none) and ends with the
      same dictionaries as a run left alone: to the bit on the same machine with as many threads, because it reads the
      same batches; another processor rounds otherwise. Without `resume`, earlier checkpoints in the folder are
      removed;
    - `config.selection` of config.SIZED: see sampled.PooledGrowth. Atoms are chosen once the text is read, with a
      progress for each step. With `work`, what they are chosen from lies there on disk; without, in memory;
    - going further: a run that is resumed, finished or not, may ask for more `tokens`, a lower `threshold` or more
      `atoms` than before (selections config.EXTENDED; nothing else may differ). The dictionary so far is kept as it
      is, and the stream goes on from where it stopped, under the new settings from there on. Where no text is left and
      the threshold is lower, or a dictionary that was full has room again, the same tokens are read once more from the
      beginning, judged by the dictionary as it stands. `stats["stages"]` tells each part, `stats["passes"]` how often
      the text was begun;
    - `extend`: the finished dictionaries of such a run, one per layer, to go on from where `work` has no checkpoint;
    - `initial`: dictionaries to begin with, at most one per layer, for selections config.EXTENDED: their atoms and
      labels come first and stay, whatever selected them, and count for `config.atoms`; a centred one gives its mean as
      well. The published code can begin like this; it keeps no labels. What has to fit, see initial.placed. It is part
      of what a run is: one that goes on must have begun with the same. `stats["initial"]` tells which it was;
    - `config.sinks`: attention sinks (module sinks) are neither judged nor taken as atoms, nor counted in the mean or
      in how well the dictionary does; `stats["sinks_left_out"]` counts them. The median norm is that of the first
      sinks.NORM_TOKENS tokens (of all, if fewer), `stats["norm_median"]`;
    - the finished dictionaries are measured on the next held_out.MOST_TOKENS tokens of the corpus; where fewer than
      held_out.FEWEST_TOKENS are left, on the first of the training text (`stats["fvu_text"]` says which).

    Raises UserError at once for a layer or site the model does not have, a context longer than the model's, a
    threshold that can add no atom and an initial dictionary that does not fit; later for a corpus without any token or
    with fewer different activations than atoms were wanted, a checkpoint of another run, a full disk, activations with
    NaN.
    """
    layers, corpus = plain_list(layers), Corpus.of(corpus)
    work = None if work is None else user_path(work)
    if config.context > model.context:
        raise UserError(
            f"context={config.context} is longer than the {model.context} tokens {model.name} can read; "
            f"choose at most {model.context}."
        )
    for layer in layers:
        if layer is not None and (isinstance(layer, bool) or not isinstance(layer, int)):
            raise UserError(f"Layer {layer!r:.200} is not a whole number; give the blocks' numbers, from 0.")
    sites = [model.site(site, layer) for layer in layers]
    if not sites or len(set(sites)) < len(sites):
        given = ", ".join(map(str, layers)) or "none"
        raise UserError(f"Layers {given} were asked for; name at least one, and each once.")
    if any(read.module is None for read in sites):  # what a module gives may be narrower or wider
        config.threshold_for(model.d_model)
    if extend and not config.rule.extends:
        raise UserError(f"Dictionaries of selection={config.selection!r} cannot be extended; train anew.")
    run = _Run(model, corpus, sites, config, extend, placed(initial, sites, model, corpus, config), work)
    checkpoints = None if work is None else Checkpoints(work, run.identity)
    return run.progress(checkpoints, checkpoint_seconds, resume)


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
    """How activations and atoms come about, beside the config, as a training that goes on must do it too.

    initial: the fingerprint of what it begins with. What is as it always was is left out, so that earlier records are
    of the same training; checkpoint.UNSAID tells what they mean.
    """
    made: dict[str, Any] = {"dtype": str(model.dtype), "windows per batch": WINDOWS_PER_BATCH}
    if config.selection == "paper":
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
    ) -> None:
        self._model, self._corpus, self._sites, self._config, self._extend = model, corpus, sites, config, extend
        self._initial = fingerprint(initial)
        grow: type[Growth] = resolve_name(config.rule.growth)
        self._growths = [
            grow(site, config, initial.get(i), None if work is None else pool_folder(work, i))
            for i, site in enumerate(sites)
        ]
        self._before = self._now = self._safe = Snapshot(layers=tuple(growth.totals for growth in self._growths))
        # _before: where this session began; _now: where it stands; _safe: where a later session can go on
        self._special: deque[int] = deque()  # special tokens of each window handed out whose batch is yet to come
        self._streamed_from = 0  # windows before the stream that is being read
        self._again = False  # whether the text is to be read once more where none is left
        self._started = time.monotonic()
        self._reading = 0.0  # seconds of this session in which text was read

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
        yield self._report(dictionaries)

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
        saving.now(self._safe)
        return chain([unused] if unused else [], (batch.activations for batch in batches))

    def _choose(self, saving: Saving) -> Generator[TrainProgress, None, None]:
        """What is left to do once the text is read, site by site."""
        begun, read = time.monotonic(), self._now.seconds
        done_before = self._chosen
        for growth in self._growths:
            some = False
            for _ in growth.settle():
                some = True
                self._chose_on(read + time.monotonic() - begun)
                saving.when_due(self._safe)
                done = self._chosen
                eta = (time.monotonic() - begun) / (done - done_before) * (1 - done) if done > done_before else None
                yield replace(self._report(), eta=eta)
            if some:
                self._chose_on(read + time.monotonic() - begun)
                saving.now(self._safe)
            growth.release()

    def _chose_on(self, seconds: float) -> None:
        """A step of choosing was done, `seconds` of work since the run began."""
        layers = tuple(growth.totals for growth in self._growths)
        self._now = self._safe = self._now._replace(seconds=seconds, layers=layers, steps=self._now.steps + 1)

    @property
    def _chosen(self) -> float:
        """The share of all steps of choosing that is done, 0 to 1."""
        return sum(step / steps for step, steps in (growth.step for growth in self._growths) if steps) / len(
            self._growths
        )

    def _begin(self, checkpoints: Checkpoints | None, resume: bool) -> None:
        loaded = None
        if checkpoints is not None:
            checkpoints.clear(only_partial=resume)
            loaded = checkpoints.load(self._growths, self._model.device)
        if loaded is None and self._extend:
            loaded = self._restore(self._extend)
        now = self._now if loaded is None else loaded
        stage = Stage.of(self._config, now)
        if not now.stages:
            now = now._replace(stages=(stage,))
        elif now.stages[-1].config(self._config) != self._config:
            now = self._loosen(now, stage)
        self._before = self._now = self._safe = now

    def _loosen(self, now: Snapshot, stage: Stage) -> Snapshot:
        """A new stage begins. Raises UserError when it asks for less than the one before."""
        old = now.stages[-1]
        widths = [growth.atoms.shape[1] for growth in self._growths if growth.begun]
        if less := self._config.asks_less_than(old.config(self._config), widths):
            raise UserError(
                f"The run cannot go on, because it had {'; '.join(less)}; ask for more tokens, a lower threshold or "
                "more atoms than before, or start anew."
            )
        lower = old.threshold != stage.threshold
        self._again = lower or any(old.atoms is not None and had >= old.atoms for had in stage.had)
        if lower:
            for growth in self._growths:
                growth.curve.restart()
        idle = len(now.stages) > 1 and old.begun == now.tokens  # nothing was read in it: it left no trace
        return now._replace(stages=(*(now.stages[:-1] if idle else now.stages), stage))

    def _rewind(self) -> bool:
        """To the beginning of the text, where a new stage found none left to read; whether that was to be done."""
        now = self._now
        idle = now.tokens == now.stages[-1].begun
        if not (self._again and idle and now.tokens) or all(growth.full for growth in self._growths):
            return False
        self._again = False
        self._now = self._safe = now._replace(whole=0, skip=0, passes=now.passes + 1, pass_begun=now.tokens)
        return True

    def _restore(self, dictionaries: Sequence[AtomDictionary]) -> Snapshot:
        """Where the run that ended with `dictionaries` stood. Raises UserError when it was another one than this."""
        assert len(dictionaries) == len(self._growths), "one dictionary per layer"
        snapshot = snapshot_of(dictionaries)
        for growth, dictionary, totals in zip(self._growths, dictionaries, snapshot.layers, strict=True):
            spec = dictionary.spec
            identity = {
                "model": spec.weights_fingerprint,
                "tokenizer": spec.tokenizer_fingerprint,
                "corpus": spec.corpus_fingerprint,
                "config": {name: v for name, v in dictionary.config.to_dict().items() if name not in LOOSENED},
                **dictionary.stats["stream"].get("made", {}),
            }
            own = {name: value for name, value in self.identity().items() if name != "sites"}
            different = differences(identity, own)
            if (spec.site, spec.layer) != (growth.site_name, growth.site.layer):
                different.append(f"site {spec.site} of layer {spec.layer}")
            if different:
                raise UserError(
                    f"{dictionary!r} cannot be extended, because it had {'; '.join(different)}; use the same settings, "
                    "or start anew."
                )
            device = self._model.device
            growth.norm_median = dictionary.stats.get("norm_median")
            mean = dictionary.mean.to(device) if dictionary.config.centre else None
            growth.restore(Kept(dictionary.atoms.to(device), to_labels(dictionary.provenance)), mean, totals)
            growth.curve.add(totals.tokens, totals.atoms)
            growth.curve.restart()
        return snapshot

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
        """What is left of the corpus; what is told by its first tokens is known once the first batch is given."""
        self._streamed_from = self._now.whole
        self._special.clear()
        batches = self._stream(self._counted(islice(self._windows(), self._streamed_from, None)))
        if self._now.skip:
            batches = _without_first(batches, self._now.skip)
        if not self._growths[0].begun:
            batches = self._surveyed(batches)
        return batches

    def _surveyed(self, batches: Iterator[ActivationBatch]) -> Iterator[ActivationBatch]:
        """The same batches; before the first, each site's median norm and mean are taken from as many as it needs."""
        most = tokens_to_survey(self._config)
        ahead: deque[ActivationBatch] = deque()
        while sum(len(batch.tokens) for batch in ahead) < most and (batch := next(batches, None)) is not None:
            ahead.append(batch)
        for growth in self._growths:
            found = survey([batch.activations[growth.site] for batch in ahead], self._config)
            growth.norm_median = found.norm_median
            if growth.mean is None:
                growth.mean = found.mean
        while ahead:
            yield ahead.popleft()
        yield from batches

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
        self._reading = self._now.seconds - self._before.seconds
        return {site: x[used:] for site, x in batch.activations.items()} if used < n_tokens else {}

    def _report(self, dictionaries: tuple[AtomDictionary, ...] = ()) -> TrainProgress:
        read = self._now.tokens - self._before.tokens
        rate = read / self._reading if self._reading > 0 else 0.0
        left = 0 if dictionaries else self._left
        return TrainProgress(
            tokens=self._now.tokens,
            total=None if self._config.tokens is None else self._now.pass_begun + self._config.tokens,
            seconds=self._now.seconds,
            tokens_per_second=rate,
            eta=0.0 if dictionaries else (left / rate if left is not None and rate > 0 else None),
            layers=tuple(growth.progress(left) for growth in self._growths),
            done=bool(dictionaries),
            dictionaries=dictionaries,
        )

    def _finish(self, unused: Iterable[Activations]) -> tuple[AtomDictionary, ...]:
        """The dictionaries, measured; `unused` are the activations of the corpus after those read."""
        if self._now.tokens == 0:
            raise UserError(
                f"Corpus {self._corpus.id} gave no token of text to {self._model.name}; choose one with more text."
            )
        if self._now.passes > 1:  # what follows in this pass may have been read in an earlier one
            unused = (batch.activations for batch in self._stream(islice(self._windows(), self._now.windows, None)))
        held, text = held_out.collect(unused), "held-out"
        if min((len(x) for x in held.values()), default=0) < held_out.FEWEST_TOKENS:
            again = (batch.activations for batch in self._stream(self._windows()))
            held, text = held_out.collect(again, min(held_out.MOST_TOKENS, self._now.tokens_of_pass)), "training"
        return tuple(self._dictionary(i, held[growth.site], text) for i, growth in enumerate(self._growths))

    def _made(self) -> dict[str, Any]:
        """See `how_made`."""
        return how_made(self._model, self._config, self._initial)

    def _dictionary(self, layer: int, held: Tensor, text: str) -> AtomDictionary:
        growth, now = self._growths[layer], self._now
        totals = growth.totals
        if not totals.judged:
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
        dictionary.stats.update(norm_median=growth.norm_median)
        measured = held_out.quality(dictionary, held)
        if growth.gram is None:  # then it was made for this alone, and all layers' together would fill the memory
            dictionary.forget_gram()
        dictionary.stats.update(
            tokens=totals.tokens,
            windows=now.windows,
            seconds=now.seconds,
            tokens_per_second=now.tokens / now.seconds,
            mean_relative_error=totals.error_sum / totals.judged,
            fvu=measured.fvu,
            relative_error=measured.relative_error,
            fvu_tokens=measured.tokens,
            fvu_text=text,
            special_tokens_left_out=now.special,
            zero_activations_left_out=totals.skipped,
            sinks_left_out=totals.sinks,
            fvu_sinks_left_out=measured.sinks,
            passes=now.passes,
            stages=now.stage_list(layer),
            stream={**now.record(layer), "made": self._made()},
        )
        if growth.initial is not None:
            dictionary.stats["initial"] = described(growth.initial)
        if config.rule.by_width:
            assert config.threshold is not None, "it was just put in"
            dictionary.stats.update(
                threshold_cosine=cosine_of(config.threshold, spec.d_model),
                duplicate_atoms=len(atoms) - len(torch.unique(atoms.cpu(), dim=0)),
            )
        return dictionary


class _Rest(NamedTuple):
    """A batch without its first tokens."""

    tokens: list[TokenRef]
    activations: Activations
    windows: int


def _without_first(batches: Iterator[ActivationBatch], n_tokens: int) -> Iterator[ActivationBatch]:
    """The same batches, the first without its first `n_tokens`."""
    if (first := next(batches, None)) is None:
        return
    yield _Rest(first.tokens[n_tokens:], {site: x[n_tokens:] for site, x in first.activations.items()}, first.windows)
    yield from batches
