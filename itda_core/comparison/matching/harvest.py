"""The activations of one model on the first tokens of a corpus, kept for as long as they are compared."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import torch
from torch import Tensor

from itda_core.dictionaries.choosing.prefix_hash import numbers
from itda_core.dictionaries.choosing.scratch import scratch
from itda_core.dictionaries.growing.sinks import NORM_TOKENS, median_norm, sinks_in
from itda_core.dictionaries.growing.training_windows import WINDOWS_PER_BATCH
from itda_core.errors import UserError
from itda_core.models.activations import ActivationBatch
from itda_core.models.described import DescribedByModel
from itda_core.text import windows as windows_of

if TYPE_CHECKING:
    from itda_core.models import LanguageModel, Site
    from itda_core.text import Corpus, Window


class Harvest(NamedTuple):
    """Activations of one model at some sites, special tokens left out."""

    model: str
    sites: tuple[Site, ...]
    columns: tuple[slice, ...]  # of each site
    x: Tensor  # (n_tokens, all widths) float32
    keys: Tensor  # (n_tokens,) int64, a number for each token's prefix (prefix_hash.numbers)
    rows: dict[tuple[str, int], range]  # of each window that is here as a whole, by its document and first character

    def of(self, site: int, rows: Tensor | slice) -> Tensor:
        """Activations (n_rows, width) at the site of that number."""
        return self.x[rows, self.columns[site]]

    def sinks(self, medians: float | None) -> Tensor:
        """Which tokens are attention sinks at some site (dictionaries.sinks): (n_tokens,) bool. None: none is."""
        found = torch.zeros(len(self.x), dtype=torch.bool)
        for columns in self.columns if medians else ():
            parts = self.x[:, columns].split(NORM_TOKENS)
            median = median_norm(parts[:1])
            limit = None if median is None else cast(float, medians) * median
            found |= torch.cat([sinks_in(part, limit) for part in parts])
        return found


def harvest(
    model: LanguageModel,
    corpus: Corpus,
    sites: Sequence[Site],
    *,
    tokens: int,
    context: int,
    windows: str = "all",
    seed: int = 0,
    folder: Path | None = None,
) -> Generator[int, None, Harvest]:
    """Run `model` over the first `tokens` tokens of `corpus` (all, if there are fewer); yields how many are done.

    context, windows: how the corpus is cut, see text.windows; seed: of the keys; folder: where the activations lie in a
    nameless file that vanishes with them (dictionaries.scratch); None: in memory. The forward batches are those of a
    training, so that the activations are those that `train` sees here, to the bit with as many threads.

    Raises UserError for a site the model has not, a corpus without any token of text, a full disk, a context longer
    than the model's, activations with NaN.
    """
    if tokens < 1:
        raise UserError(f"tokens={tokens} is nothing to compare; give 2 or more, for example 20000.")
    cut = windows_of(corpus, model.tokenizer, context=context, which=cast("Literal['all', 'first']", windows))
    x: Tensor | None = None
    columns: list[slice] = []
    keys: list[Tensor] = []
    rows: dict[tuple[str, int], range] = {}
    done = 0
    for batch in model.stream(cut, sites, windows_per_batch=WINDOWS_PER_BATCH):
        if x is None:
            for site in sites:
                start = columns[-1].stop if columns else 0
                columns.append(slice(start, start + batch.activations[site].shape[1]))
            x = scratch(tokens, columns[-1].stop, torch.device("cpu"), folder)
        wanted = min(len(batch.tokens), tokens - done)
        for site, place in zip(sites, columns, strict=True):
            x[done : done + wanted, place] = batch.activations[site][:wanted].cpu()
        keys.append(numbers((token.prefix for token in batch.tokens[:wanted]), seed))
        for row, token in enumerate(batch.tokens[:wanted], done):
            window = token.window.document, token.window.char_start
            rows[window] = range(rows[window].start if window in rows else row, row + 1)
        if wanted < len(batch.tokens):  # the window that was cut, if one was
            cut_short = batch.tokens[wanted].window
            rows.pop((cut_short.document, cut_short.char_start), None)
        done += wanted
        yield done
        if done == tokens:
            break
    if x is None or not done:
        raise UserError(f"Corpus {corpus.id} gave no token of text to {model.name}; choose one with more text.")
    return Harvest(model.name, tuple(sites), tuple(columns), x[:done], torch.cat(keys), rows)


class Harvested(DescribedByModel):
    """A source (dictionaries.ActivationSource) that streams what was harvested, and what was not from the model."""

    def __init__(self, model: LanguageModel, kept: Harvest) -> None:
        super().__init__(model)
        self._source, self._kept = model, kept

    def stream(
        self, windows: Iterable[Window], sites: Sequence[Site], *, windows_per_batch: int = WINDOWS_PER_BATCH
    ) -> Iterator[ActivationBatch]:
        """See `activations.stream`. Raises UserError as that does."""
        remaining, done = iter(windows), 0
        while batch := list(islice(remaining, windows_per_batch)):
            done += len(batch)
            tokens = [token for window in batch for token in window.tokens()]
            activations = self._read(batch, sites)
            if activations is None:
                (computed,) = self._source.stream(batch, sites, windows_per_batch=len(batch))
                activations = computed.activations
            yield ActivationBatch(tokens, activations, done)

    def _read(self, batch: Sequence[Window], sites: Sequence[Site]) -> dict[Site, Tensor] | None:
        """The activations of a batch; None where not all of it was harvested."""
        kept = self._kept
        found = [kept.rows.get((window.document, window.char_start)) for window in batch if window.tokens()]
        if not found or None in found or not set(sites) <= set(kept.sites):
            return None
        ranges = [part for part in found if part is not None]
        if any(one.stop != two.start for one, two in pairwise(ranges)):
            return None
        rows = slice(ranges[0].start, ranges[-1].stop)
        return {site: kept.of(kept.sites.index(site), rows).to(self.device) for site in sites}
