"""The Jaccard matrix against Python sets, its laws, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itda_core import AtomDictionary, UserError
from itda_core.comparison import LabelSet, jaccard, jaccard_matrix
from itda_core.comparison.overlap.incidence import Incidence
from itda_core.runs import BUNDLED
from tests.comparison.label_sets import Place, places_of, set_of

PLACES = st.tuples(st.sampled_from("abcd"), st.sampled_from([0, 40]), st.integers(40, 60))
SETS = st.lists(st.lists(PLACES, min_size=1, max_size=40), min_size=2, max_size=5)


def by_sets(one: LabelSet, two: LabelSet) -> float:
    a, b = places_of(one), places_of(two)
    return len(a & b) / len(a | b)


@settings(deadline=None)
@given(SETS)
def test_it_is_what_python_sets_say(several: list[list[Place]]) -> None:
    sets = [set_of(places, f"set {i}") for i, places in enumerate(several)]
    found = jaccard_matrix(sets)
    for i, one in enumerate(sets):
        for j, two in enumerate(sets):
            a, b = places_of(one), places_of(two)
            assert found.intersection[i, j] == len(a & b)
            assert found.union[i, j] == len(a | b)
            assert found.jaccard[i, j] == len(a & b) / len(a | b)
    assert found.sizes.tolist() == [len(places_of(one)) for one in sets]
    assert found.labels == tuple(f"set {i}" for i in range(len(sets)))


@settings(deadline=None)
@given(SETS, st.randoms(use_true_random=False))
def test_neither_the_order_of_labels_nor_that_of_sets_matters(several: list[list[Place]], random: object) -> None:
    found = jaccard_matrix([set_of(places) for places in several]).jaccard
    shuffled = [list(places) for places in several]
    for places in shuffled:
        random.shuffle(places)  # pyright: ignore[reportAttributeAccessIssue]
    again = jaccard_matrix([set_of(places) for places in reversed(shuffled)]).jaccard
    assert np.array_equal(found, again[::-1, ::-1])
    assert np.array_equal(found, found.T)
    assert np.array_equal(np.diag(found), np.ones(len(several)))


@settings(deadline=None)
@given(st.lists(PLACES, min_size=2, max_size=40, unique=True), st.data())
def test_a_subset_has_the_share_of_its_size(places: list[Place], data: st.DataObject) -> None:
    n = data.draw(st.integers(1, len(places)))
    assert jaccard(set_of(places), set_of(places[:n])) == n / len(places)


def test_blocks_of_the_incidence_agree_with_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    sets = [set_of([("d", 0, int(i)) for i in draw.choice(300, 100, replace=False)]) for _ in range(7)]
    whole = Incidence.of(sets).intersections()
    monkeypatch.setattr("itda_core.comparison.overlap.incidence._CELLS", 100)
    in_blocks = Incidence.of(sets, with_documents=True)
    assert np.array_equal(in_blocks.intersections(), whole)
    for i, one in enumerate(sets):
        by_document = in_blocks.by_document(i)
        assert [by_document[:, j].sum() for j in range(7) if j != i] == [
            len(places_of(one) & places_of(other)) for j, other in enumerate(sets) if j != i
        ]


def test_bundled_dictionaries_as_python_sets_have_them() -> None:
    paths = sorted(Path(BUNDLED).iterdir())[:4]
    loaded = [AtomDictionary.load(path) for path in paths]
    sets = [LabelSet.load(path) for path in paths]
    found = jaccard_matrix(sets)
    assert found.labels == tuple(path.name for path in paths)
    for i, one in enumerate(sets):
        for j, two in enumerate(sets):
            assert found.jaccard[i, j] == by_sets(one, two) == pytest.approx(jaccard(loaded[i], loaded[j]))


def test_json_begins_with_the_contracts_keys() -> None:
    sets = [set_of([("a", 0, 1), ("a", 0, 2)], "one"), set_of([("a", 0, 2)], "two", context=8)]
    given = jaccard_matrix(sets, interval=True, resamples=10).to_dict()
    contract = ["labels", "sizes", "jaccard", "intersection", "comparable_fraction", "null_jaccard", "z"]
    assert list(given)[:7] == contract
    said = json.loads(json.dumps(given, allow_nan=False))
    assert said["jaccard"] == [[1.0, 0.5], [0.5, 1.0]]
    assert said["comparable_fraction"] == [[1.0, None], [None, 1.0]]  # another context: not known without the corpus
    assert said["comparable"] == "estimated"
    assert said["cannot_be_told_from_the_largest"] == [[], []]


def test_what_cannot_be_compared_is_refused_with_the_reason() -> None:
    one = set_of([("a", 0, 1)], "one")
    with pytest.raises(UserError, match="one and two were built on different corpora"):
        jaccard(one, set_of([("a", 0, 1)], "two", corpus="other"))
    with pytest.raises(UserError, match="context 16 and 8"):
        jaccard(one, set_of([("a", 5, 6)], "two", context=8))
    with pytest.raises(UserError, match="tokenizer"):
        jaccard(one, set_of([("b", 0, 6)], "two", tokenizer="another"))
    with pytest.raises(UserError, match="at least two"):
        jaccard_matrix([one])
    with pytest.raises(UserError, match="no labels"):
        jaccard(one, set_of([], "two"))
    with pytest.raises(UserError, match="'other' does not exist"):
        jaccard_matrix([one, one], null="other")
    with pytest.raises(UserError, match="needs the corpus"):
        jaccard_matrix([one, one], null="token")


def test_chance_without_the_corpus_goes_by_what_the_trainings_say() -> None:
    places = [("a", 0, i) for i in range(10)]
    sets = [set_of(places, tokens=100), set_of(places, tokens=50), set_of(places, tokens=None, windows=None)]
    found = jaccard_matrix(sets)
    assert not found.exact
    assert found.comparable_prefixes[0, 1] == 50
    assert found.comparable_fraction[0, 1] == 0.5
    assert np.isnan(found.null_jaccard[0, 2])
    assert found.null_jaccard[0, 0] < found.null_jaccard[0, 1] < 0.2
