"""Small dictionaries of small models, to be changed and attributed to."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from itda_core.dictionaries import AtomDictionary, TrainConfig, train
from itda_core.models import LanguageModel
from itda_core.text import Corpus, Document
from tests.conftest import generated_text

PROMPT = "The king of torsen, 42 loves deki"


@pytest.fixture(scope="session")
def grown(model_of: Callable[[str], LanguageModel]) -> Callable[..., AtomDictionary]:
    """`grown(family, layer, centre=…)`: a dictionary of that layer of the tiny model."""

    @cache
    def grow(family: str, layer: int = 1, *, centre: bool = True) -> AtomDictionary:
        documents = [Document(f"d{i}", line) for i, line in enumerate(generated_text(40, 3))]
        config = TrainConfig(k=4, threshold=0.2, context=32, centre=centre)
        *_, last = train(model_of(family), Corpus.from_documents("some", documents), [layer], config)
        return last.dictionaries[0]

    return grow
