"""The text of a training as its model reads it, and what it gives of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from itda_core.text.windows import windows

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from itda_core.dictionaries.activation_source import ActivationBatch, Site
    from itda_core.dictionaries.config import TrainConfig
    from itda_core.text.document import Document
    from itda_core.text.windows import TokenRef, Window

# Fixed, because the last bits of a forward pass depend on it, and a resumed run must agree to the bit; what
# selection="paper" makes of a text depends on it altogether.
WINDOWS_PER_BATCH = 16


def windows_of_training(
    documents: Iterable[Document], tokenizer: PreTrainedTokenizerBase, config: TrainConfig
) -> Iterator[Window]:
    """The windows of a training with these settings."""
    which = cast("Literal['all', 'first']", config.windows)
    return windows(documents, tokenizer, context=config.context, which=which)


class _Rest(NamedTuple):
    """A batch without its first tokens."""

    tokens: list[TokenRef]
    activations: Mapping[Site, Tensor]
    windows: int


def without_first(batches: Iterator[ActivationBatch], n_tokens: int) -> Iterator[ActivationBatch]:
    """The same batches, the first without its first `n_tokens`."""
    if (first := next(batches, None)) is None:
        return
    yield _Rest(first.tokens[n_tokens:], {site: x[n_tokens:] for site, x in first.activations.items()}, first.windows)
    yield from batches
