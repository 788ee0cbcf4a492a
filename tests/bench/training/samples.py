"""A corpus of the fake model's words, and a plan small enough for a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from itda_core.bench.training.plan import TrainingPlan
from tests.dictionaries.fake_model import fake_corpus


def corpus_file(folder: Path) -> str:
    """1,200 words in documents of 20."""
    path = folder / "words.txt"
    path.write_text("\n\n".join(document.text for document in fake_corpus()), encoding="utf-8")
    return str(path)


def tiny_plan(corpus: str, **fields: Any) -> TrainingPlan:
    """For the fake model, without SAEs unless they are asked for."""
    small: dict[str, Any] = {
        "model": "fake",
        "layer": 1,
        "corpus": corpus,
        "context": 64,
        "read": 900,
        "tokens": 600,
        "held_out": 200,
        "atoms": 60,
        "ks": (2, 4),
        "repeats": 1,
        "sae_seconds": None,
    }
    return TrainingPlan(**(small | fields))
