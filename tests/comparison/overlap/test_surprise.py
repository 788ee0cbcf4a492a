"""The surprise of a shared label against a plain loop, and what it puts first."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from itda_core import Corpus
from itda_core.comparison import LabelSet
from itda_core.comparison.overlap.differences import differences
from itda_core.comparison.overlap.surprise import NEIGHBOURS, surprise
from itda_core.runs.library import BUNDLED
from itda_core.text import Document
from tests.comparison.label_sets import drawn, read
from tests.conftest import byte_level, generated_text

TOKENIZER = byte_level("gpt2")
CORPUS = Corpus.from_documents("text", [Document(f"d{i}", " ".join(generated_text(5, i))) for i in range(9)])
TOKENS = read(CORPUS, TOKENIZER)


def plainly(one: list[int], two: list[int]) -> list[float]:
    """The surprise of every label that both have, in the first one's order, for labels at TOKENS[i]."""

    def nearby(i: int, mine: list[int], theirs: list[int]) -> float:
        at = mine.index(i)
        others = [j for j in mine[max(0, at - NEIGHBOURS) : at + NEIGHBOURS + 1] if j != i]
        share = sum(j in theirs for j in mine) / len(mine)
        return (sum(j in theirs for j in others) + share) / (len(others) + 1)

    both, either = [i for i in one if i in two], {*one, *two}
    jaccard = len(both) / len(either)
    found = []
    for i in both:
        same = [j for j in either if TOKENS[j].text == TOKENS[i].text and j != i]
        by_token = (sum(j in both for j in same) + jaccard) / (len(same) + 1)
        stage = math.sqrt(nearby(i, one, two) * nearby(i, two, one))
        if jaccard == 1:
            found.append(0.0)
            continue
        odds = stage / (1 - stage) * by_token / (1 - by_token) / (jaccard / (1 - jaccard))
        found.append(-math.log2(odds / (1 + odds)))
    return found


places = st.lists(st.integers(0, min(len(TOKENS), 150) - 1), min_size=1, max_size=90, unique=True)


@settings(deadline=None, max_examples=40)
@given(places, places)
def test_it_is_what_a_plain_loop_says(one: list[int], two: list[int]) -> None:
    sets = drawn(TOKENS, one, CORPUS, "one"), drawn(TOKENS, two, CORPUS, "two")
    found = differences(sets)
    expected = plainly(one, two)
    np.testing.assert_allclose(found.shared["surprise"], expected, rtol=1e-9, atol=1e-9)
    ranked = found.most_surprising()
    assert sorted(ranked["atom"]) == sorted(found.shared["atom"])
    assert ranked["surprise"].is_monotonic_decreasing
    other_way = differences((sets[1], sets[0])).shared.sort_values("atom_two")
    np.testing.assert_allclose(other_way["surprise"], expected, rtol=1e-9, atol=1e-9)


def test_a_label_shared_where_all_are_is_no_surprise_and_one_alone_is() -> None:
    one, two = list(range(200)), [*range(100), 150, *range(300, 399)]  # all of the first hundred, then one
    place = {i: n for n, i in enumerate(two)}
    both = [i for i in one if i in place]
    first, second = np.array(both), np.array([place[i] for i in both])
    found = surprise((first, second), (200, 200), np.arange(len(both)), np.ones(len(both), np.int64))
    assert found[:70].max() < 0.1
    assert found.argmax() == both.index(150)
    assert found.max() > 3


def test_a_token_whose_labels_are_seldom_shared_is_more_surprising() -> None:
    at = np.arange(0, 200, 4)
    token = (at == 100).astype(int)  # one shared label of a token that has twenty labels that are not shared
    found = surprise((at, at), (200, 200), token, np.array([300, 21]))
    assert found.argmax() == int(np.flatnonzero(at == 100)[0])


def test_what_comes_first_is_not_the_beginning_of_the_text() -> None:
    sets = LabelSet.load(BUNDLED / "demo-0-L2"), LabelSet.load(BUNDLED / "demo-1-L2")
    found = differences(sets)
    assert found.shared["token"].tolist()[:5] == ["Dear", " Br", "un", "o", ","]
    first = found.most_surprising().head(20)
    assert float(np.median(first["order"])) > 600
    assert not {"Dear", " Br", "un", "o", ","} & set(first["token"])
    none = differences((sets[0].only(np.arange(5)), sets[1].only(np.arange(500, 510))))
    assert len(none.most_surprising()) == 0


def test_a_label_whose_token_is_written_differently_in_the_other_dictionary_is_one_token() -> None:
    """As a letter that several tokens make up: its count of places was zero, and its surprise no number."""
    sets = LabelSet.load(BUNDLED / "demo-0-L0"), LabelSet.load(BUNDLED / "demo-0-L3")
    with np.errstate(all="raise"):
        found = differences(sets).shared
    assert np.isfinite(found["surprise"]).all()
