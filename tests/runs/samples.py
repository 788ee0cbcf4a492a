"""Dictionaries and texts made on the spot for the tests of the library, the jobs and the command line."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from itda_core.dictionaries import AtomDictionary, AtomLabel, DictionarySpec, TrainConfig

if TYPE_CHECKING:
    from itda_core.models import LanguageModel

WORDS = [
    *("the", "a", "dog", "ran", "park", "sun", "rain", "old", "small", "house"),
    *("tree", "green", "walked", "over", "under", "quick", "slow", "river", "seven", "blue"),
]


def write_corpus(path: Path, documents: int = 60, seed: int = 0) -> Path:
    """Paragraphs of random sentences."""
    draw = random.Random(seed)
    paragraphs = [
        " ".join(" ".join(draw.choices(WORDS, k=draw.randint(4, 12))).capitalize() + "." for _ in range(5))
        for _ in range(documents)
    ]
    path.write_text("\n\n".join(paragraphs), encoding="utf-8")
    return path


def make_dictionary(
    n_atoms: int = 6, of: LanguageModel | None = None, d_model: int = 8, seed: int = 0, **spec: Any
) -> AtomDictionary:
    """A dictionary of random atoms with made-up labels, of the model `of` if one is given."""
    from itda_core.dictionaries.provenance import to_frame

    draw = torch.Generator().manual_seed(seed)
    width = of.d_model if of else d_model
    atoms = torch.nn.functional.normalize(torch.randn(n_atoms, width, generator=draw), dim=1)
    labels = [
        AtomLabel(
            atom=i,
            order=i,
            document=f"paragraph-{i}",
            window_start=0,
            position=i,
            token_id=i,
            token=WORDS[i % len(WORDS)],
            char_start=10,
            char_end=13,
            context_before="Once ",
            context_after=" more",
            error=0.5,
        )
        for i in range(n_atoms)
    ]
    values: dict[str, Any] = {
        "model": of.name if of else "demo:0",
        "revision": None,
        "weights_fingerprint": of.fingerprint if of else "0" * 64,
        "tokenizer_fingerprint": of.tokenizer_fingerprint if of else "0" * 64,
        "layer": 2,
        "site": "resid_post",
        "d_model": width,
        "corpus": "demo",
        "corpus_fingerprint": "0" * 64,
    }
    stats = {
        "tokens": 1000,
        "seconds": 2.0,
        "tokens_per_second": 500.0,
        "mean_relative_error": 0.25,
        "fvu": 0.125,
    }
    return AtomDictionary(
        atoms, torch.zeros(width), to_frame(labels), DictionarySpec(**{**values, **spec}), TrainConfig(k=3), stats
    )
