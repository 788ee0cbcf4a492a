"""About how many tokens a text has whose size is known, told from the tokens of its first documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from itda_core.text.sources.demo import PASSAGES
from itda_core.text.sources.files import path_and_column

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from itda_core.dictionaries import TrainConfig
    from itda_core.text import Corpus
    from itda_core.text.document import Document

_DOCUMENTS, _BYTES = 200, 200_000  # looked at, at most


def expected_tokens(
    reference: str, corpus: Corpus, tokenizer: PreTrainedTokenizerBase, config: TrainConfig
) -> int | None:
    """Tokens that a training of `config` reads of the whole text that `reference` names, special ones not counted.

    None where it does not read all of it, or where only reading tells its size: of a table, other columns are in the
    file as well.
    """
    if config.tokens is not None:
        return None
    first = list(_first(corpus))
    if reference == "demo":
        share = len(first) / PASSAGES
    else:
        path, _ = path_and_column(reference)
        if path.suffix != ".txt" or not path.is_file():
            return None
        between = 2  # a blank line, and the end of the line before it
        share = sum(_bytes(document) + between for document in first) / max(1, path.stat().st_size)
    tokens = _tokens(first, tokenizer, config)
    return round(tokens / min(share, 1.0)) if share and tokens else None


def _first(corpus: Iterable[Document]) -> Iterator[Document]:
    seen = 0
    for number, document in enumerate(corpus):
        if number == _DOCUMENTS or seen >= _BYTES:
            return
        seen += _bytes(document)
        yield document


def _bytes(document: Document) -> int:
    return len(document.text.encode())


def _tokens(documents: Iterable[Document], tokenizer: PreTrainedTokenizerBase, config: TrainConfig) -> int:
    from itda_core.dictionaries.growing.training_windows import windows_of_training

    return sum(len(window) - sum(window.special) for window in windows_of_training(documents, tokenizer, config))
