"""A model that has been read once and gives its activations again from memory, so that only growth takes time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from itda_core.models import LanguageModel, Site
    from itda_core.text.windows import TokenRef, Window


class ReplayedBatch(NamedTuple):
    """See models.ActivationBatch."""

    tokens: list[TokenRef]
    activations: dict[Site, Tensor]
    windows: int


class _WindowRows(NamedTuple):
    """Where the tokens of a window are among the activations."""

    start: int
    tokens: list[TokenRef]


class Replay:
    """Streams the activations x (n_tokens, d_model) of `windows` at one site, as `model` did.

    It is a dictionaries.ActivationSource: any selection grows on it by the very code of `itda train`, labels included,
    without a forward pass and without a tokenizer's work.
    """

    def __init__(
        self, model: LanguageModel, site: Site, windows: Sequence[Window], x: Tensor, keep: Tensor | None = None
    ) -> None:
        """`windows` and the tokens of x (special ones left out) in one order.

        keep: (n_tokens,) bool, the tokens that are given again; None: all.
        """
        self.name, self.revision = model.name, model.revision
        self.fingerprint, self.tokenizer_fingerprint = model.fingerprint, model.tokenizer_fingerprint
        self.tokenizer: Any = RememberingTokenizer(model.tokenizer)
        self.context, self.device, self.dtype = model.context, x.device, model.dtype
        self.batching = model.batching
        self.d_model = x.shape[1]
        self.activations = x if keep is None or bool(keep.all()) else x[keep]
        kept = [True] * len(x) if keep is None else keep.tolist()
        self._site = site
        self._rows_of: dict[tuple[str, int], _WindowRows] = {}
        read = start = 0
        for window in windows:
            all_tokens = window.tokens()
            tokens = list(compress(all_tokens, kept[read : read + len(all_tokens)]))
            self._rows_of[window.document, window.char_start] = _WindowRows(start, tokens)
            read, start = read + len(all_tokens), start + len(tokens)
        assert read == len(x), "one activation per token"

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many tokens each window has, in order."""
        return tuple(len(place.tokens) for place in self._rows_of.values())

    def site(self, kind: str = "", layer: int | None = None) -> Site:
        """The one site that was read, whatever is asked for."""
        del kind, layer
        return self._site

    def stream(
        self, windows: Iterable[Window], sites: Sequence[Site], *, windows_per_batch: int = 16
    ) -> Iterator[ReplayedBatch]:
        """See models.LanguageModel.stream; windows that were not read before are a mistake."""
        windows, done = iter(windows), 0
        while batch := list(islice(windows, windows_per_batch)):
            done += len(batch)
            places = [self._rows_of[window.document, window.char_start] for window in batch]
            x = self._rows(places)
            yield ReplayedBatch([token for place in places for token in place.tokens], dict.fromkeys(sites, x), done)

    def _rows(self, places: Sequence[_WindowRows]) -> Tensor:
        """The activations of some windows: a view where they follow each other, as they do in a stream."""
        ends = [place.start + len(place.tokens) for place in places]
        if [place.start for place in places[1:]] == ends[:-1]:
            return self.activations[places[0].start : ends[-1]]
        return torch.cat([self.activations[place.start : end] for place, end in zip(places, ends, strict=True)])


class RememberingTokenizer:
    """A tokenizer that answers from memory what it was asked before."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._answers: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, text: str | list[str], **options: Any) -> Any:
        key = (text if isinstance(text, str) else tuple(text), *sorted(options.items()))
        if key not in self._answers:
            self._answers[key] = self._ask(text, options)
        return self._answers[key]

    def _ask(self, text: str | list[str], options: dict[str, Any]) -> Any:
        return self._tokenizer(text, **options)
