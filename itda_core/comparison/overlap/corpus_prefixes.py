"""The prefixes that arise where a corpus is read in one way, as far as some dictionaries have read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from itda_core.comparison.label_sets import LabelSet, packed
from itda_core.text.windows import windows as windows_of

if TYPE_CHECKING:
    from typing import Literal

    from transformers import PreTrainedTokenizerBase

    from itda_core.text.corpus import Corpus


class CorpusPrefixes(NamedTuple):
    """The prefixes of a corpus under one reading, in reading order, each once. Arrays (n_prefixes,) int64."""

    document: np.ndarray  # number of the document in the corpus
    window_start: np.ndarray
    last: np.ndarray
    token: np.ndarray  # id of the (last) token that ends there
    tokens_before: np.ndarray  # in the whole text, special ones not counted
    windows_before: np.ndarray


def read_prefixes(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase, sets: Sequence[LabelSet], numbers: dict[str, int]
) -> CorpusPrefixes:
    """One pass over the corpus, as far as the sets of this reading have come; `numbers` gains its documents."""
    reading = sets[0].reading
    missing = {name for one in sets for name in one.documents[np.unique(one.document)]}
    most_tokens = max((one.tokens or 0 for one in sets), default=0)
    most_windows = max((one.windows_read or 0 for one in sets if one.tokens is None), default=0)
    parts: list[np.ndarray] = []
    tokens = 0
    number, name = 0, None
    which = cast("Literal['all', 'first']", reading.windows)
    every = windows_of(corpus, tokenizer, context=reading.context, which=which)
    for windows, window in enumerate(every):
        if window.document != name:
            if tokens >= most_tokens and windows >= most_windows and not missing:
                break
            name = window.document
            number = numbers.setdefault(name, len(numbers))
            missing.discard(name)
        own = ~np.array(window.special, bool)
        n_tokens = int(own.sum())
        part = np.empty((6, n_tokens), np.int64)
        part[0], part[1], part[5] = number, window.char_start, windows
        part[2] = np.array(window.spans, np.int64).reshape(-1, 2)[own, 1] - 1
        part[3] = np.array(window.token_ids, np.int64)[own]
        part[4] = np.arange(tokens, tokens + n_tokens)
        parts.append(part)
        tokens += n_tokens
    read = np.concatenate(parts, axis=1) if parts else np.zeros((6, 0), np.int64)
    # Pieces of one character end at the same place; the last one has read all of it.
    if read.shape[1]:
        ends = np.append(np.any(read[:3, 1:] != read[:3, :-1], axis=0), True)
        read = read[:, ends]
        _, first = np.unique(packed(read[0], read[1], read[2]), return_index=True)
        read = read[:, np.sort(first)]
    return CorpusPrefixes(*read)
