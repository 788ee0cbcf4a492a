"""The text of a training as its model reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal, cast

from itda_core.text.windows import windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from itda_core.dictionaries.config import TrainConfig
    from itda_core.text.document import Document
    from itda_core.text.windows import Window


def windows_of_training(
    documents: Iterable[Document], tokenizer: PreTrainedTokenizerBase, config: TrainConfig
) -> Iterator[Window]:
    """The windows of a training with these settings."""
    which = cast("Literal['all', 'first']", config.windows)
    return windows(documents, tokenizer, context=config.context, which=which)
