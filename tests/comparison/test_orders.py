"""The effect of the corpus's order, on a fake model against trainings and sets by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from itda_core import TrainConfig, UserError, train
from itda_core.comparison.orders import OrderEffect, in_order, order_effect
from tests.comparison.label_sets import LabelSet, places_of
from tests.dictionaries.fake_model import FakeModel, fake_corpus

CONFIG = TrainConfig(k=4, threshold=0.15, context=12, tokens=500)
CORPUS = fake_corpus(documents=40)


def model() -> FakeModel:
    return FakeModel()


def effect(**options: object) -> OrderEffect:
    *_, last = order_effect({"one": model}, CORPUS, [0, 2], CONFIG, orders=3, **options)  # pyright: ignore[reportArgumentType]
    assert last.effect is not None
    return last.effect


def test_cells_are_means_and_spreads_over_orders() -> None:
    found = effect(seed=4)
    documents = list(CORPUS)[: found.documents]
    assert found.documents == 25  # of 20 words each
    sets = []
    for order in range(3):
        *_, last = train(
            model(), in_order(CORPUS, documents, order, 4), [0, 2], TrainConfig(k=4, threshold=0.15, context=12)
        )
        sets.append([places_of(LabelSet.of(dictionary)) for dictionary in last.dictionaries])
    for i in range(2):
        for j in range(2):
            same = [len(each[i] & each[j]) / len(each[i] | each[j]) for each in sets]
            pairs = permutations(range(3), 2) if i != j else [(0, 1), (0, 2), (1, 2)]
            other = [len(sets[a][i] & sets[b][j]) / len(sets[a][i] | sets[b][j]) for a, b in pairs]
            assert found.same_mean[i, j] == pytest.approx(np.mean(same))
            assert found.same_sd[i, j] == pytest.approx(np.std(same, ddof=1))
            assert found.other_mean[i, j] == pytest.approx(np.mean(other))
            assert found.other_sd[i, j] == pytest.approx(np.std(other, ddof=1))
    assert found.labels == ("one L0", "one L2")
    assert np.array_equal(found.ceiling, np.diag(found.other_mean))
    assert found.ceiling.min() > 0
    assert found.ceiling.max() < 1
    assert found.to_dict()["ceiling"] == found.ceiling.tolist()


def test_an_order_has_the_same_documents_and_another_fingerprint() -> None:
    documents = list(CORPUS)
    texts = [in_order(CORPUS, documents, order, 0) for order in (0, 1, 2)]
    assert list(texts[0]) == documents
    assert list(texts[1]) != documents
    assert {document.id: document.text for document in texts[1]} == {
        document.id: document.text for document in documents
    }
    assert list(texts[1]) == list(in_order(CORPUS, documents, 1, 0))
    assert len({text.fingerprint for text in (*texts, CORPUS)}) == 4


def test_progress_counts_the_trainings() -> None:
    seen = list(order_effect({"a": model, "b": model}, CORPUS, [1], CONFIG, orders=2))
    assert next((event.model, event.order) for event in seen if event.tokens) == ("a", 0)
    assert {(event.trained, event.model) for event in seen[:-1]} == {(0, "a"), (1, "a"), (2, "b"), (3, "b")}
    assert seen[-1].trained == seen[-1].total == 4
    found = seen[-1].effect
    assert found is not None
    assert found.same_mean[0, 1] == 1.0  # two names of one model
    assert np.isnan(found.other_sd[0, 0])  # one pair of orders


def test_what_shows_no_effect_is_refused() -> None:
    for given, sentence in (
        (order_effect({"a": model}, CORPUS, [0], CONFIG, orders=1), "orders=1"),
        (order_effect({}, CORPUS, [0], CONFIG), "at least one model"),
        (order_effect({"a": model}, CORPUS, [0], TrainConfig(k=4, atoms=9)), "atoms=9"),
    ):
        with pytest.raises(UserError, match=sentence):
            next(given)
