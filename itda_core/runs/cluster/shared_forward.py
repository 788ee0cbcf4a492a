"""A model whose forward passes are shared out among the workers of one training."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, cast

import torch

from itda_core.dictionaries.growing.training_windows import WINDOWS_PER_BATCH
from itda_core.models.activation_cache.shards import digest_of
from itda_core.models.activations import ActivationBatch
from itda_core.models.described import DescribedByModel
from itda_core.runs.cluster.connection import ray_module
from itda_core.runs.cluster.exchange import Answer, Key
from itda_core.text.windows import windows as windows_of

if TYPE_CHECKING:
    from itda_core.models import LanguageModel, Site
    from itda_core.runs.training.request import TrainRequest
    from itda_core.text import Corpus, Window

_IDLE = 0.1  # seconds between two looks at whether there is something to do


class Share(NamedTuple):
    """A worker's place in the team of one training."""

    exchange: Any  # handle of the team's exchange.Exchange
    who: str  # this worker's name there
    layers: tuple[tuple[int, ...], ...]  # of each member, by its number
    member: int | None  # this worker's number; None: it judges nothing and only computes
    ahead: int  # batches that a worker looks ahead


class SharedForward(DescribedByModel):
    """Streams what `model` would: each forward batch comes from this worker or from another of the team.

    Batches are made of the same windows as alone, so that activations do not depend, to the bit, on who computes them
    as long as processors and threads are alike. Batches that were lost with a worker are computed here.

        with SharedForward(model, corpus, request, share) as source:
            for progress in train(source, corpus, layers, config): ...
    """

    def __init__(self, model: LanguageModel, corpus: Corpus, request: TrainRequest, share: Share) -> None:
        super().__init__(model)
        self._computer, self._corpus, self._config, self._share = model, corpus, request.config, share
        self._sites = [[model.site(request.site, layer) for layer in layers] for layers in share.layers]
        self._ray = ray_module()
        self._reading = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.get(self._share.exchange.leave.remote(self._share.who, self._share.member))

    def stream(
        self, windows: Iterable[Window], sites: Sequence[Site], *, windows_per_batch: int = WINDOWS_PER_BATCH
    ) -> Iterator[ActivationBatch]:
        """See `activations.stream`; `sites` are this member's."""
        self._reading += 1
        remaining, read, done = iter(windows), 0, 0
        ahead: dict[Key, list[Window]] = {}
        own: dict[Key, Mapping[Site, torch.Tensor]] = {}
        while True:
            while len(ahead) < self._share.ahead and (batch := list(islice(remaining, windows_per_batch))):
                read = read or self._place_of(batch[0])
                ahead[Key(self._reading, read, digest_of(batch))] = batch
                read += len(batch)
            if not ahead:
                return
            key = next(iter(ahead))
            activations = own.pop(key) if key in own else self._obtain(ahead, own, sites)
            batch = ahead.pop(key)
            done += len(batch)
            yield ActivationBatch([token for window in batch for token in window.tokens()], dict(activations), done)

    def compute_for_others(self, should_stop: Callable[[], bool]) -> None:
        """Compute forward batches that members will need until told to stop."""
        exchange, ray = self._share.exchange, self._ray
        remaining: Iterator[Window] = iter(())
        ahead: deque[tuple[Key, list[Window]]] = deque()
        reading = place = 0
        while not should_stop():
            lowest: Key | None = ray.get(exchange.lowest.remote())
            if lowest is None:
                time.sleep(_IDLE)
                continue
            # A member that is loading its model has no position yet and counts as being at the beginning.
            last = lowest._replace(reading=max(1, lowest.reading), window=max(0, lowest.window))
            if last.reading != reading or last.window < (ahead[0][0].window if ahead else place):
                reading, place = last.reading, last.window
                remaining = islice(self._windows(), place, None)
                ahead.clear()
            while ahead and ahead[0][0].window < last.window:
                ahead.popleft()
            while len(ahead) < self._share.ahead and (batch := list(islice(remaining, WINDOWS_PER_BATCH))):
                if place >= last.window:
                    ahead.append((Key(reading, place, digest_of(batch)), batch))
                place += len(batch)
            if not ahead:
                time.sleep(_IDLE)
                continue
            keys = [key for key, _ in ahead]
            answer: Answer = ray.get(exchange.ask.remote(self._share.who, None, keys[0], keys))
            if answer.compute is not None:
                self._compute(answer, dict(ahead)[answer.compute])

    def _obtain(
        self, ahead: Mapping[Key, list[Window]], own: dict[Key, Mapping[Site, torch.Tensor]], sites: Sequence[Site]
    ) -> Mapping[Site, torch.Tensor]:
        """The first batch of `ahead`; while it is being computed elsewhere, later ones are computed into `own`."""
        key, batch = next(iter(ahead.items()))
        member = self._share.member
        while True:
            wanted = [other for other in ahead if other not in own]
            answer: Answer = self._ray.get(self._share.exchange.ask.remote(self._share.who, member, key, wanted))
            if answer.part:
                try:
                    (arrays,) = self._ray.get(list(answer.part))
                except self._ray.exceptions.RayError:  # it was lost with the worker that had computed it
                    (found,) = self._computer.stream(batch, sites, windows_per_batch=len(batch))
                    return found.activations
                return {
                    # Ray's arrays lie in memory shared by all processes and cannot be written to.
                    site: torch.from_numpy(array.copy()).to(self.device)
                    for site, array in zip(sites, arrays, strict=True)
                }
            if answer.compute is not None:
                own[answer.compute] = self._compute(answer, ahead[answer.compute])
                if answer.compute == key:
                    return own.pop(key)

    def _compute(self, answer: Answer, batch: list[Window]) -> Mapping[Site, torch.Tensor]:
        """Run the model on `batch`, hand each other member its part, and return this member's own."""
        mine = self._share.member
        sites = list(dict.fromkeys(site for member in answer.members for site in self._sites[member]))
        found: Mapping[Site, torch.Tensor] = {}
        if sites:
            (computed,) = self._computer.stream(batch, sites, windows_per_batch=len(batch))
            found = computed.activations
        parts = {
            member: (self._ray.put([found[site].cpu().numpy() for site in self._sites[member]]),)
            for member in answer.members
            if member != mine
        }
        self._share.exchange.publish.remote(answer.compute, parts)  # it returns nothing
        return {} if mine is None else {site: found[site] for site in self._sites[mine]}

    def _windows(self) -> Iterator[Window]:
        which = cast("Literal['all', 'first']", self._config.windows)
        return windows_of(self._corpus, self.tokenizer, context=self._config.context, which=which)

    def _place_of(self, first: Window) -> int:
        """Which window of the corpus `first` is."""
        place = (first.document, first.char_start)
        return next(i for i, window in enumerate(self._windows()) if (window.document, window.char_start) == place)
