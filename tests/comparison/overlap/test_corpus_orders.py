"""The effect of the corpus's order, on a fake model against trainings and sets by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from itda_core import TrainConfig, UserError, train
from itda_core.comparison.overlap.chance import uniform
from itda_core.comparison.overlap.corpus_orders import OrderEffect, Training, in_order, order_effect
from tests.comparison.label_sets import LabelSet, places_of
from tests.dictionaries.fake_model import FakeModel, fake_corpus

CONFIG = TrainConfig(k=4, threshold=0.15, context=12, tokens=500)
CORPUS = fake_corpus(documents=40)


def model() -> FakeModel:
    return FakeModel()


def effect(seed: int) -> OrderEffect:
    *_, last = order_effect([Training(("one L0", "one L2"), model, (0, 2), CONFIG)], CORPUS, orders=3, seed=seed)
    assert last.effect is not None
    return last.effect


def test_cells_are_means_and_spreads_over_orders() -> None:
    found = effect(seed=4)
    documents = list(CORPUS)[: found.documents[0]]
    assert found.documents == (25, 25)  # of 20 words each
    sets = []
    for order in range(3):
        text = in_order(CORPUS, documents, order, 4)
        *_, last = train(model(), text, [0, 2], replace(CONFIG, tokens=None))
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
    words = 25 * 20
    sizes = np.array([[len(one) for one in each] for each in sets])
    for i in range(2):
        for j in range(2):
            drawn = [uniform(words, int(sizes[a, i]), int(sizes[b, j])).jaccard for a, b in permutations(range(3), 2)]
            assert found.null_jaccard[i, j] == pytest.approx(np.mean(drawn))
    said = found.sentence()
    assert f"in another order: {np.mean(found.ceiling):.1%} on average" in said
    assert f"in the same order: {found.same_mean[0, 1]:.1%}; in different orders: {found.other_mean[0, 1]:.1%}" in said
    assert f"by chance: {found.null_jaccard.mean():.1%}." in said


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
    fewer = [document.id for document in in_order(CORPUS, documents[:10], 1, 0)]
    assert [document.id for document in texts[1] if document.id in fewer] == fewer


def test_progress_counts_the_trainings() -> None:
    trainings = [Training((name,), model, (1,), replace(CONFIG, tokens=n)) for name, n in (("a", 500), ("b", 200))]
    seen = list(order_effect(trainings, CORPUS, orders=2))
    assert (seen[0].name, seen[0].order) == ("a", 0)
    assert {(event.trained, event.name) for event in seen[:-1]} == {(0, "a"), (1, "a"), (2, "b"), (3, "b")}
    assert seen[-1].trained == seen[-1].total == 4
    found = seen[-1].effect
    assert found is not None
    assert found.documents == (25, 10)
    assert np.isnan(found.other_sd[0, 0])  # one pair of orders


def test_two_names_of_one_model_are_alike_in_every_order() -> None:
    trainings = [Training((name,), model, (1,), CONFIG) for name in "ab"]
    *_, last = order_effect(trainings, CORPUS, orders=2)
    assert last.effect is not None
    assert last.effect.same_mean[0, 1] == 1.0
    assert last.effect.same_sd[0, 1] == 0.0
    assert last.effect.other_mean[0, 1] == last.effect.ceiling[0]


def test_what_shows_no_effect_is_refused() -> None:
    one, limited = (Training(("a",), model, (0,), config) for config in (CONFIG, TrainConfig(k=4, atoms=9)))
    for given, sentence in (
        (order_effect([one], CORPUS, orders=1), "orders=1"),
        (order_effect([], CORPUS), "at least one dictionary"),
        (order_effect([one, limited], CORPUS), "atoms=9"),
    ):
        with pytest.raises(UserError, match=sentence):
            next(given)
