"""How a table of transfers is made: one reading of the text for all labels, all sites and all random dictionaries."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import islice
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from itda_core.comparison.label_transfer.results import Transfer, TransferStep, TransferTable
from itda_core.dictionaries.choosing.directions import unit_directions
from itda_core.dictionaries.choosing.prefix_hash import numbers, uniforms
from itda_core.dictionaries.dictionary import AtomDictionary
from itda_core.dictionaries.gathering import Chosen, Gathered, LabelFinder, gathering
from itda_core.dictionaries.growing.held_out import FEWEST_TOKENS, Quality, collect, quality
from itda_core.dictionaries.growing.sinks import sinks_in
from itda_core.dictionaries.growing.training_windows import windows_of_training
from itda_core.dictionaries.provenance import to_frame
from itda_core.dictionaries.rebuilding import TextAmount, assemble, check_readable, statistics_of_sites
from itda_core.errors import UserError
from itda_core.fingerprints import same_model

if TYPE_CHECKING:
    from torch import Tensor

    from itda_core.dictionaries import LabelsOnly, TrainConfig
    from itda_core.dictionaries.growing.stream_statistics import StreamStatistics
    from itda_core.models import LanguageModel, Site
    from itda_core.text import Corpus, Window

_SPARE = 0.1  # more places are drawn than atoms are wanted: some may be attention sinks or zero


class _Drawn(NamedTuple):
    """The positions of random dictionaries, as numbers of the tokens that the labels' text has."""

    wanted_at: Mapping[int, list[int]]  # per token, the numbers of the drawn places at it
    first: int  # number of the first drawn place; those of the labels come before
    each: int  # places per draw
    draws: int

    def of(self, draw: int) -> slice:
        """The numbers of one draw's places, the first drawn first."""
        return slice(self.first + draw * self.each, self.first + (draw + 1) * self.each)


class _Used(NamedTuple):
    """What is known of one site when dictionaries are measured there."""

    site: Site
    x: Tensor  # (n_places, d_model) at all wanted places
    held: Tensor  # (n_tokens, d_model) of the held-out tokens
    surveyed: StreamStatistics


class Transferring:
    """See transfer.transfer_steps, which checks what can be seen at once."""

    def __init__(
        self,
        labels: Sequence[LabelsOnly],
        model: LanguageModel,
        corpus: Corpus,
        sites: Sequence[Site],
        own: Sequence[AtomDictionary],
    ) -> None:
        for one in labels:
            check_readable(one, model, corpus)
        self._labels, self._model, self._corpus, self._sites = list(labels), model, corpus, list(sites)
        self._config = labels[0].config  # what windows are cut by is the same in all
        self._own = _own_by_site(own, model, corpus, self._sites)
        self._finder = LabelFinder(labels, model.tokenizer_fingerprint)
        self._qualities: dict[tuple[object, ...], Quality] = {}
        self._surveys: dict[tuple[object, ...], dict[Any, StreamStatistics]] = {}

    def steps(
        self,
        ks: Sequence[int] | None,
        method: str | None,
        tokens: int,
        draws: int,
        seed: int,
        held_out: Corpus | None,
    ) -> Generator[TransferStep, None, None]:
        """Yields its progress; the last step has the table."""
        yield TransferStep("drawing places", 0.0)
        amount, drawn = self._draw(draws, seed)
        gathered = yield from self._gather(amount, drawn)
        yield TransferStep("reading held-out text", 0.0)
        held = self._held(amount, tokens, held_out)
        found: list[Transfer] = []
        first = 0
        for i, labels in enumerate(self._labels):
            surveys = self._statistics(labels)
            rows = gathered.row_of[first : first + len(labels.places)]
            first += len(labels.places)
            for j, site in enumerate(self._sites):
                share = (i * len(self._sites) + j) / (len(self._labels) * len(self._sites))
                yield TransferStep("measuring", share)
                used = _Used(site, gathered.x[site], held[site], surveys[site])
                args = (labels, self._model, self._corpus, site, used.x, gathered.labels, rows)
                dictionary = assemble(*args, used.surveyed, amount, with_errors=False)
                for k in dict.fromkeys(ks or [min(labels.config.k, len(dictionary))]):
                    found.append(
                        self._cell(labels, dictionary, used, gathered, drawn, k, method or labels.config.method)
                    )
        held_in = self._corpus if held_out is None else held_out
        measured_on = len(held[self._sites[0]])
        table = TransferTable(self._model.name, self._corpus.id, held_in.id, measured_on, draws, tuple(found))
        yield TransferStep("", 1.0, table)

    def _windows(self) -> Iterator[Window]:
        return windows_of_training(self._corpus, self._model.tokenizer, self._config)

    def _labelled_windows(self) -> Iterator[Window]:
        """The windows of this model with the text that the labels come from: what their dictionaries have read, or,
        where that is not recorded in this tokenizer's windows, up to the end of the last document with a label.
        """
        n_windows = [
            labels.stats.get("windows")
            if labels.spec.tokenizer_fingerprint == self._model.tokenizer_fingerprint
            else None
            for labels in self._labels
        ]
        if None not in n_windows:
            yield from islice(self._windows(), max(windows for windows in n_windows if windows is not None))
            return
        left, here = self._finder.documents, None
        for window in self._windows():
            if window.document != here and not left:
                return
            here = window.document
            left.discard(here)
            yield window

    def _draw(self, draws: int, seed: int) -> tuple[TextAmount, _Drawn]:
        """How much text the labels come from, and the places drawn from it."""
        amount = TextAmount()
        found: list[Tensor] = []
        for window in self._labelled_windows():
            amount.take(window)
            found.append(numbers((token.prefix for token in window.tokens()), seed))
        tokens = torch.cat(found) if found else torch.zeros(0, dtype=torch.int64)
        most = max(len(labels) for labels in self._labels)
        each = min(len(tokens), most + int(_SPARE * most) + 8)
        wanted_at: dict[int, list[int]] = {}
        drawn = _Drawn(wanted_at, self._finder.count, each, draws)
        for draw in range(draws):
            order = torch.argsort(uniforms(tokens, draw), stable=True)[:each]
            for token, number in zip(order.tolist(), range(*drawn.of(draw).indices(2**62)), strict=True):
                wanted_at.setdefault(token, []).append(number)
        return amount, drawn

    def _gather(self, amount: TextAmount, drawn: _Drawn) -> Generator[TransferStep, None, Gathered]:
        """The activations of all places, of labels and drawn ones; yields after each batch of text."""
        n_wanted = drawn.first + drawn.draws * drawn.each

        def chosen() -> Iterator[Chosen]:
            passed = 0  # tokens of text
            for window in islice(self._windows(), amount.windows):
                wanted = self._finder.find(window)
                for position, special in enumerate(window.special):
                    if not special:
                        if here := drawn.wanted_at.get(passed):
                            wanted.setdefault(position, []).extend(here)
                        passed += 1
                yield Chosen(window, wanted)

        batches = gathering(self._model, chosen(), self._sites, n_wanted)
        while True:
            try:
                met = next(batches)
            except StopIteration as ended:
                return ended.value
            yield TransferStep("reading the labels' text", met / n_wanted)

    def _held(self, amount: TextAmount, tokens: int, held_out: Corpus | None) -> dict[Any, Tensor]:
        """Activations of the first `tokens` tokens that nothing was built from."""
        if held_out is None:
            windows = self._windows()
            built = [_built(own, self._config) for own in self._own.values()]
            n_windows = max([amount.windows, *(part.windows for part in built)])
            n_tokens = max([0, *(part.tokens for part in built)])
            passed = TextAmount()
            while passed.windows < n_windows or passed.tokens < n_tokens:
                if (window := next(windows, None)) is None:
                    break
                passed.take(window)
        else:
            windows = windows_of_training(held_out, self._model.tokenizer, self._config)
        batches = self._model.stream(windows, self._sites)
        held = collect((batch.activations for batch in batches), tokens)
        found = min((len(x) for x in held.values()), default=0)
        if found < min(tokens, FEWEST_TOKENS):
            raise UserError(
                f"Only {found:,} tokens of {self._corpus.id if held_out is None else held_out.id} were not built from, "
                "too few to measure on; name another corpus for held-out text."
            )
        return held

    def _statistics(self, labels: LabelsOnly) -> dict[Any, StreamStatistics]:
        config = labels.config
        key = (config.centre, config.sinks, config.tokens if config.centre or config.sinks else None)
        if key not in self._surveys:
            self._surveys[key] = statistics_of_sites(self._model, self._corpus, self._sites, config)
        return self._surveys[key]

    def _cell(
        self,
        labels: LabelsOnly,
        dictionary: AtomDictionary,
        used: _Used,
        gathered: Gathered,
        drawn: _Drawn,
        k: int,
        method: str,
    ) -> Transfer:
        transferred = quality(dictionary, used.held, k, method)
        own = self._own.get(used.site)
        owned = None if own is None else self._quality(("own", used.site, k, method), own, used.held, k, method)
        randoms: list[Quality] = []
        for draw in range(drawn.draws):
            key = (draw, len(dictionary), used.site, k, method, labels.config.centre, dictionary.sink_norm)
            if key not in self._qualities:
                other = _random(dictionary, used, gathered.row_of[drawn.of(draw)])
                self._quality(key, other, used.held, k, method)
            randoms.append(self._qualities[key])
        random_fvu = [found.fvu for found in randoms if found.fvu is not None]
        left_out = dictionary.stats["rebuilt"]["labels_left_out"].values()
        return Transfer(
            labels=f"{labels.spec.model} {labels.spec.site}"
            + ("" if labels.spec.layer is None else f" layer {labels.spec.layer}"),
            labels_layer=labels.spec.layer,
            model=self._model.name,
            layer=used.site.layer,
            site=dictionary.spec.site,
            k=k,
            method=method,
            atoms=len(dictionary),
            comparable=1 - sum(left_out) / len(labels.places),
            tokens=transferred.tokens,
            fvu=transferred.fvu,
            relative_error=transferred.relative_error,
            l0=transferred.l0,
            own_atoms=None if own is None else len(own),
            own_fvu=owned and owned.fvu,
            own_relative_error=owned and owned.relative_error,
            own_l0=owned and owned.l0,
            random_fvu=fmean(random_fvu) if random_fvu else None,
            random_sd=stdev(random_fvu) if len(random_fvu) > 1 else None,
            random_relative_error=_mean([found.relative_error for found in randoms]),
            random_l0=_mean([found.l0 for found in randoms]),
            places=len(labels.places) - sum(left_out),
        )

    def _quality(self, key: tuple[object, ...], dictionary: AtomDictionary, x: Tensor, k: int, method: str) -> Quality:
        """The quality of a dictionary, measured once however many cells need it."""
        if key not in self._qualities:
            self._qualities[key] = quality(dictionary, x, k, method)
            dictionary.forget_gram()  # the Gram matrices of all layers together would fill the memory
        return self._qualities[key]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _random(like: AtomDictionary, used: _Used, rows: Tensor) -> AtomDictionary:
    """A dictionary of as many drawn activations as `like` has atoms, treated as those were; without labels.

    rows: (n_drawn,) of used.x, more than needed: attention sinks and activations of zero are passed over.
    """
    x = used.x[rows.to(used.x.device)]
    directions, usable = unit_directions(x[~sinks_in(x, like.sink_norm)], used.surveyed.mean)
    atoms = directions[usable][: len(like)]
    return AtomDictionary(atoms, like.mean, to_frame(()), like.spec, like.config, like.stats)


class _Built(NamedTuple):
    """How much of the corpus a dictionary was built from: at least so many windows of ours, at least so many tokens."""

    windows: int
    tokens: float


def _built(own: AtomDictionary, config: TrainConfig) -> _Built:
    windows, tokens = own.stats.get("windows"), own.stats.get("tokens")
    if isinstance(windows, int) and (own.config.context, own.config.windows) == (config.context, config.windows):
        return _Built(windows, 0)
    return _Built(0, tokens if isinstance(tokens, int) else float("inf"))  # not recorded: no part of the corpus is safe


def _own_by_site(
    own: Sequence[AtomDictionary], model: LanguageModel, corpus: Corpus, sites: Sequence[Site]
) -> dict[Site, AtomDictionary]:
    """Raises UserError for a dictionary of another model, and for two of one site."""
    found: dict[Site, AtomDictionary] = {}
    for dictionary in own:
        spec = dictionary.spec
        if not same_model(spec.weights_fingerprint, model.fingerprint):
            raise UserError(f"{dictionary!r} is not of {model.name} as it is here; give dictionaries of these weights.")
        if spec.corpus_fingerprint != corpus.fingerprint:
            raise UserError(f"{dictionary!r} was built on {spec.corpus}, the labels on another text; leave it out.")
        site = model.site(spec.site, spec.layer)
        if site in found:
            raise UserError(f"{dictionary!r} is the second of {site.name}; give one for each site.")
        if site in sites:
            found[site] = dictionary
    return found
