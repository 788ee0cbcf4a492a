"""Activations of several models at the same tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from itda_core.comparison.matching.harvest import Harvest
from itda_core.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from itda_core.comparison.label_sets import LabelSet
    from itda_core.text import Corpus

BLOCK_TOKENS = 4096


class ModelSite(NamedTuple):
    """One site of one model."""

    model: int  # its number among the models
    site: int  # its number among the model's sites
    name: str


class Representations:
    """What several models' harvests say of the tokens that all of them have read.

    Tokens correspond when they have read the same prefix, whatever the models' tokenizers. Models of one tokenizer
    share all; of others, those that end where every tokenizer ends a token, in windows that begin at the same
    character. Of several tokens with one prefix (pieces of one character) the last is taken, which has read all of it.
    """

    def __init__(self, harvests: Sequence[Harvest], sinks: float | None = None) -> None:
        """sinks: leave out tokens that are attention sinks at some site of some model, see Harvest.sinks.

        Raises UserError when fewer than two tokens are common to all.
        """
        self.models = tuple(kept.model for kept in harvests)
        self.places = tuple(
            ModelSite(number, i, f"{kept.model} {site.name}")
            for number, kept in enumerate(harvests)
            for i, site in enumerate(kept.sites)
        )
        self._harvests = harvests
        left_out = [kept.sinks(sinks) for kept in harvests]
        self._rows, self.keys, common = _common([kept.keys for kept in harvests], left_out)
        self.sinks = common - len(self.keys)  # tokens left out as attention sinks
        self.fraction = common / max(len(kept.keys) for kept in harvests)  # of the tokens read that all have read
        if len(self.keys) < 2:
            raise UserError(
                f"{', '.join(self.models)} have no two tokens in common in what they read; use more tokens, or the "
                "same context and windows for all."
            )

    def __len__(self) -> int:
        """Tokens."""
        return len(self.keys)

    @property
    def names(self) -> list[str]:
        """The name of each site, by its place."""
        return [place.name for place in self.places]

    @property
    def widths(self) -> list[int]:
        """The width of each site, by its place."""
        return [self._harvests[place.model].of(place.site, slice(0)).shape[1] for place in self.places]

    def at(self, place: int, tokens: Tensor) -> Tensor:
        """Activations (n, width) float32 of the tokens of these numbers (n,) at the place of that number."""
        model, site, _ = self.places[place]
        return self._harvests[model].of(site, self._rows[model][tokens])

    def blocks(self, places: Sequence[int] | None = None, without: Tensor | None = None) -> Iterator[list[Tensor]]:
        """At each of some places (all, if None) the activations (n, width) of the same tokens, BLOCK_TOKENS at a time.

        without: numbers of tokens to leave out.
        """
        chosen = range(len(self.places)) if places is None else places
        kept = torch.ones(len(self), dtype=torch.bool)
        if without is not None:
            kept[without] = False
        for tokens in kept.nonzero()[:, 0].split(BLOCK_TOKENS):
            yield [self.at(place, tokens) for place in chosen]

    def drawn(self, count: int) -> Tensor:
        """`count` of the tokens, at most half: those of the smallest keys, which depend on prefix and seed alone."""
        return torch.argsort(self.keys, stable=True)[: min(count, len(self) // 2)]

    def find(self, keys: Tensor) -> Tensor:
        """The number of the token with each of these keys (n,) int64; -1 where none has it."""
        ordered, order = self.keys.sort()
        at = torch.searchsorted(ordered, keys).clamp_max(len(ordered) - 1)
        return torch.where(ordered[at] == keys, order[at], -1)


class Compared(NamedTuple):
    """All that a study holds once its models have read the text, from which each measure takes what it needs."""

    together: Representations
    labels: Sequence[LabelSet]  # of the dictionary of each place, in their order; none where no measure needs them
    anchors: int  # tokens that others are described by
    seed: int
    corpus: Corpus
    tokenizers: Mapping[str, PreTrainedTokenizerBase]  # by their fingerprint


def _common(keys: Sequence[Tensor], left_out: Sequence[Tensor]) -> tuple[list[Tensor], Tensor, int]:
    """Rows of each model at the tokens that all have, these tokens' keys, and how many there were before some were
    `left_out` (per model (n_tokens,) bool). Tokens come in the order of the first model.
    """
    last = [_last_rows(part) for part in keys]
    shared = last[0].keys
    for other in last[1:]:
        shared = shared[torch.isin(shared, other.keys, assume_unique=True)]
    rows = [other.rows[torch.searchsorted(other.keys, shared)] for other in last]
    kept = ~torch.stack([out[found] for out, found in zip(left_out, rows, strict=True)]).any(dim=0)
    order = torch.argsort(rows[0])
    order = order[kept[order]]
    return [found[order] for found in rows], shared[order], len(shared)


class _Last(NamedTuple):
    keys: Tensor  # ascending, each once
    rows: Tensor


def _last_rows(keys: Tensor) -> _Last:
    """The last row of each key."""
    unique, places = keys.unique(return_inverse=True)
    rows = torch.zeros_like(unique).scatter_reduce_(0, places, torch.arange(len(keys)), "amax", include_self=False)
    return _Last(unique, rows)
