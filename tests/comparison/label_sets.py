"""Label sets to compare, out of lists of prefixes or of a tokenizer's reading of a corpus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from itda_core.comparison.label_sets import LabelSet
from itda_core.dictionaries import DictionarySpec, TrainConfig
from itda_core.dictionaries.provenance import AtomLabel, to_frame
from itda_core.text import Corpus, TokenRef, windows

Place = tuple[str, int, int]  # document, first character of the window, last character read


def spec_of(corpus: str = "text", tokenizer: str = "tokenizer", layer: int | None = 0) -> DictionarySpec:
    return DictionarySpec("model", None, "weights", tokenizer, layer, "resid_post", 16, "text", corpus)


def set_of(
    places: Iterable[Place],
    name: str = "set",
    *,
    corpus: str = "text",
    tokenizer: str = "tokenizer",
    tokens: int | None = 1000,
    windows: int | None = 100,
    context: int = 16,
    which: str = "all",
    token_ids: Sequence[int] | None = None,
) -> LabelSet:
    """The labels of a dictionary whose atoms entered in the order of `places`."""
    places = list(places)
    frame = pd.DataFrame(
        {
            "atom": np.arange(len(places)),
            "order": np.arange(len(places)),
            "document": pd.Series([place[0] for place in places], dtype="str"),
            "window_start": np.array([place[1] for place in places], np.int64),
            "char_end": np.array([place[2] + 1 for place in places], np.int64),
            "token_id": np.zeros(len(places), np.int64) if token_ids is None else np.array(token_ids, np.int64),
        }
    )
    stats: dict[str, Any] = {"tokens": tokens, "windows": windows}
    config = TrainConfig(k=4, context=context, windows=which)
    return LabelSet.from_frame(frame, spec_of(corpus, tokenizer), config, stats, name)


def read(corpus: Corpus, tokenizer: Any, context: int = 16, which: Any = "all") -> list[TokenRef]:
    """Every token of text, in the order in which a training reads them."""
    return [token for window in windows(corpus, tokenizer, context=context, which=which) for token in window.tokens()]


def drawn(
    tokens: Sequence[TokenRef],
    chosen: Iterable[int],
    corpus: Corpus,
    name: str,
    *,
    context: int = 16,
    which: str = "all",
    tokenizer: str = "tokenizer",
    stats: dict[str, Any] | None = None,
) -> LabelSet:
    """The labels of a dictionary that read `tokens` and took those of `chosen`."""
    labels = [AtomLabel.of(tokens[i], atom, 0.5) for atom, i in enumerate(chosen)]
    said = {"tokens": len(tokens)} if stats is None else stats
    spec = spec_of(corpus.fingerprint, tokenizer)
    return LabelSet.from_frame(to_frame(labels), spec, TrainConfig(k=4, context=context, windows=which), said, name)


def places_of(one: LabelSet) -> set[Place]:
    """As Python has them."""
    starts, lasts = one.window_start.tolist(), one.last.tolist()
    return set(zip(one.documents[one.document].tolist(), starts, lasts, strict=True))
