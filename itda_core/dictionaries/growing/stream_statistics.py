"""What a training takes from the first tokens of a site before it judges any: the median norm and the mean."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from itda_core.dictionaries.growing.sinks import NORM_TOKENS, median_norm, sinks_in

if TYPE_CHECKING:
    from itda_core.dictionaries.activation_source import ActivationBatch
    from itda_core.dictionaries.config import TrainConfig
    from itda_core.dictionaries.growing.growth import Growth

MEAN_TOKENS = 8192  # from which the mean of a centred dictionary is estimated


class StreamStatistics(NamedTuple):
    """Statistics of one site; None where the settings need none, or there was no activation."""

    norm_median: float | None
    mean: Tensor | None  # (d_model,) float32, of the activations that are no attention sinks


def statistics_tokens(config: TrainConfig) -> int:
    """How many of the first tokens `stream_statistics` wants to see."""
    most = max(NORM_TOKENS if config.sinks else 0, MEAN_TOKENS if config.centre else 0)
    return min(most, config.tokens or most)


def stream_statistics(parts: Sequence[Tensor], config: TrainConfig) -> StreamStatistics:
    """The median norm of a site's first NORM_TOKENS activations, with `config.sinks`, and the mean of its first
    MEAN_TOKENS, with `config.centre`; attention sinks are left out of the mean.

    parts: the site's first activations (n_tokens, d_model) each, one after the other, at least as many as
    `statistics_tokens` says if there are; more change nothing.
    """
    median = median_norm(parts, min(NORM_TOKENS, config.tokens or NORM_TOKENS)) if config.sinks else None
    if not config.centre:
        return StreamStatistics(median, None)
    sink_norm = None if config.sinks is None or median is None else config.sinks * median
    mean = RunningMean(min(MEAN_TOKENS, config.tokens or MEAN_TOKENS))
    for part in parts:
        mean.take(part, sink_norm)
    return StreamStatistics(median, mean.value())


def after_statistics(
    batches: Iterator[ActivationBatch],
    growths: Sequence[Growth],
    config: TrainConfig,
    on_tokens: Callable[[int, int], None],
) -> Iterator[ActivationBatch]:
    """The same batches; before the first, each growth gets its site's statistics, of as many batches as that needs.

    on_tokens: told how many tokens of how many were read for that.
    """
    most, read = statistics_tokens(config), 0
    ahead: deque[ActivationBatch] = deque()
    while read < most and (batch := next(batches, None)) is not None:
        ahead.append(batch)
        read += len(batch.tokens)
        on_tokens(min(read, most), most)
    for growth in growths:
        found = stream_statistics([batch.activations[growth.site] for batch in ahead], config)
        growth.norm_median = found.norm_median
        if growth.mean is None:
            growth.mean = found.mean
    while ahead:
        yield ahead.popleft()
    yield from batches


class RunningMean:
    """The mean of the first `limit` activations of a stream."""

    def __init__(self, limit: int) -> None:
        self.room = limit
        self._sum: Tensor | None = None
        self._count = 0

    def take(self, x: Tensor, sink_norm: float | None = None) -> None:
        """x: (n_tokens, d_model); what exceeds the limit is left out, and what is longer than `sink_norm`."""
        x = x[: self.room]
        self.room -= len(x)
        if sink_norm is not None:
            x = x[~sinks_in(x, sink_norm)]
        wide = x.double() if x.device.type != "mps" else x
        self._sum = wide.sum(dim=0) if self._sum is None else self._sum + wide.sum(dim=0)
        self._count += len(x)

    def value(self) -> Tensor | None:
        """(d_model,) float32; None when there was no activation."""
        return None if self._sum is None or not self._count else (self._sum / self._count).to(torch.float32)
