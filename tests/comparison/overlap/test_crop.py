"""Sets cut to equal size: the first of the larger one by order of entering, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest

from itda_core import Corpus
from itda_core.comparison import jaccard_matrix
from itda_core.comparison.overlap.comparability import ExactComparability
from itda_core.text import Document
from tests.comparison.label_sets import LabelSet, drawn, places_of, read, set_of
from tests.conftest import byte_level, generated_text


def first(one: LabelSet, n: int) -> set:
    return places_of(one.only(np.arange(n)))


def test_pairs_are_cut_to_the_smaller_set() -> None:
    draw = np.random.default_rng(0)
    sizes = (10, 40, 25)
    sets = [set_of([(f"d{i % 7}", 0, int(i)) for i in draw.choice(60, n, replace=False)], str(n)) for n in sizes]
    found = jaccard_matrix(sets, crop=True, interval=True, resamples=100)
    for i, one in enumerate(sets):
        for j, two in enumerate(sets):
            n = min(len(one), len(two))
            a, b = first(one, n), first(two, n)
            assert found.intersection[i, j] == len(a & b)
            assert found.jaccard[i, j] == len(a & b) / len(a | b)
            assert found.comparable_sizes[i, j] == n
    assert found.crop
    assert found.uncropped is not None
    assert np.array_equal(found.uncropped.jaccard, jaccard_matrix(sets).jaccard)
    assert found.low is not None
    assert found.high is not None
    assert (found.low <= found.jaccard).all()
    assert (found.jaccard <= found.high).all()
    assert found.sizes.tolist() == list(sizes)
    assert found.to_dict()["uncropped_jaccard"] == found.uncropped.jaccard.tolist()


def test_only_comparable_labels_are_counted_off() -> None:
    tokenizer = byte_level("gpt2")
    corpus = Corpus.from_documents("text", [Document(f"d{i}", " ".join(generated_text(5, i))) for i in range(9)])
    tokens = read(corpus, tokenizer)
    late = [*range(90, 60, -1), *range(10, 50, 2)]  # a sampled dictionary's order is not the text's
    one = drawn(tokens, late, corpus, "one", stats={"tokens": 100})
    two = drawn(tokens, range(0, 40, 4), corpus, "two", stats={"tokens": 45})
    comparable = ExactComparability([one, two], corpus, {"tokenizer": tokenizer})
    found = jaccard_matrix([one, two], comparable=comparable, crop=True, null="token")
    a = {tuple(tokens[i].prefix) for i in [i for i in late if i < 45][:10]}
    b = {tuple(tokens[i].prefix) for i in range(0, 40, 4)}
    assert found.jaccard[0, 1] == len(a & b) / len(a | b)
    assert found.comparable_sizes[0, 1] == found.comparable_sizes[1, 0] == 10
    assert found.null_jaccard[0, 1] == pytest.approx(found.null_jaccard[1, 0])
