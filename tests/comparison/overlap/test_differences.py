"""What two dictionaries share and what not, label by label and counted."""

from __future__ import annotations

import pandas as pd
import pytest

from itda_core import Corpus, UserError
from itda_core.comparison import jaccard_matrix
from itda_core.comparison.overlap.comparability import ExactComparability
from itda_core.comparison.overlap.differences import Differences, differences, kind_of
from itda_core.text import Document
from tests.comparison.label_sets import LabelSet, drawn, read, set_of
from tests.conftest import byte_level, generated_text

TOKENIZER = byte_level("gpt2")
CORPUS = Corpus.from_documents("text", [Document(f"d{i}", " ".join(generated_text(5, i))) for i in range(9)])
TOKENS = read(CORPUS, TOKENIZER)
CHOSEN = (list(range(80, 0, -3)), list(range(0, 120, 2)))


@pytest.fixture(scope="module")
def sets() -> tuple[LabelSet, LabelSet]:
    one, two = (drawn(TOKENS, chosen, CORPUS, name) for chosen, name in zip(CHOSEN, ("one", "two"), strict=True))
    return one, two


@pytest.fixture(scope="module")
def found(sets: tuple[LabelSet, LabelSet]) -> Differences:
    return differences(sets)


def rows(frame: pd.DataFrame) -> list[tuple[str, int, str]]:
    return list(zip(frame["document"].tolist(), frame["char_start"].tolist(), frame["token"].tolist(), strict=True))


def said(indices: list[int]) -> list[tuple[str, int, str]]:
    return [(TOKENS[i].window.document, TOKENS[i].char_start, TOKENS[i].text) for i in indices]


def test_every_label_is_in_one_of_three_frames(found: Differences) -> None:
    one, two = CHOSEN
    assert rows(found.shared) == said([i for i in one if i in two])
    assert rows(found.only_one) == said([i for i in one if i not in two])
    assert rows(found.only_two) == said([i for i in two if i not in one])
    assert found.shared["atom"].tolist() == [one.index(i) for i in one if i in two]
    assert found.shared["atom_two"].tolist() == [two.index(i) for i in one if i in two]
    assert found.shared["order_two"].tolist() == found.shared["atom_two"].tolist()
    assert found.not_comparable == (0, 0)
    first = found.only_one.iloc[0]
    assert CORPUS_TEXT[first["document"]][: first["char_start"]].endswith(first["context_before"])


CORPUS_TEXT = {document.id: document.text for document in CORPUS}


def test_tokens_and_documents_are_counted_and_the_largest_differences_come_first(found: Differences) -> None:
    one, two = CHOSEN
    for frame, column, of in (
        (found.by_token, "token", lambda i: TOKENS[i].text),
        (found.by_kind, "kind", lambda i: TOKENS[i].window.document),
    ):
        assert list(frame) == [column, "shared", "only_one", "only_two", "one", "two", "difference"]
        names = [of(i) for i in {*one, *two}]
        assert sorted(frame[column]) == sorted(set(names))
        for row in frame.to_dict("records"):
            a, b = ({i for i in chosen if of(i) == row[column]} for chosen in CHOSEN)
            assert (row["one"], row["two"], row["shared"]) == (len(a), len(b), len(a & b))
            assert (row["only_one"], row["only_two"]) == (len(a - b), len(b - a))
            assert row["difference"] == len(b) - len(a)
        sizes = frame["difference"].abs().tolist()
        assert sizes == sorted(sizes, reverse=True)


def test_labels_that_are_not_comparable_are_left_out_and_counted() -> None:
    one = drawn(TOKENS, [5, 90, 10], CORPUS, "one")
    two = drawn(TOKENS, [5, 7], CORPUS, "two", stats={"tokens": 50})
    pair = one, two
    found = differences(pair, ExactComparability(pair, CORPUS, {"tokenizer": TOKENIZER}))
    assert rows(found.shared) == said([5])
    assert rows(found.only_one) == said([10])
    assert rows(found.only_two) == said([7])
    assert found.not_comparable == (1, 0)


def test_cropped_labels_are_those_that_the_cropped_figures_count() -> None:
    late = [*range(90, 60, -1), *range(10, 50, 2)]  # 45 and later ones are not comparable with what read 45 tokens
    few = list(range(0, 40, 4))
    one = drawn(TOKENS, late, CORPUS, "one", stats={"tokens": 100})
    two = drawn(TOKENS, few, CORPUS, "two", stats={"tokens": 45})
    for pair, (mine, theirs) in (((one, two), (late, few)), ((two, one), (few, late))):
        comparable = ExactComparability(pair, CORPUS, {"tokenizer": TOKENIZER})
        matrix = jaccard_matrix(pair, comparable=comparable, crop=True)
        found = differences(pair, comparable, crop=True)
        a, b = ([i for i in chosen if i < 45][:10] for chosen in (mine, theirs))
        assert rows(found.shared) == said([i for i in a if i in b])
        assert rows(found.only_one) == said([i for i in a if i not in b])
        assert rows(found.only_two) == said([i for i in b if i not in a])
        assert len(found.shared) == matrix.intersection[0, 1]
        assert len(found.labels()) == matrix.union[0, 1]
        assert sum(found.by_token["shared"].tolist()) == sum(found.by_kind["shared"].tolist()) == len(found.shared)
        lost = [(30 + 2, 8), (0, 0)]
        assert (found.not_comparable, found.cropped) == tuple(
            zip(*(lost if pair[0] is one else lost[::-1]), strict=True)
        )


def test_sets_are_cropped_without_the_corpus_too(sets: tuple[LabelSet, LabelSet]) -> None:
    matrix = jaccard_matrix(sets, crop=True)
    found = differences(sets, crop=True)
    assert (len(sets[0]), len(sets[1])) == (27, 60)
    assert found.cropped == (0, 33)
    assert len(found.shared) == matrix.intersection[0, 1]
    assert len(found.labels()) == matrix.union[0, 1] < len(differences(sets).labels())


def test_all_labels_in_one_table(found: Differences) -> None:
    every = found.labels()
    parts = every["part"].value_counts().to_dict()
    assert parts == {
        "shared": len(found.shared),
        "only first": len(found.only_one),
        "only second": len(found.only_two),
    }
    assert every["atom_two"].notna().tolist() == (every["part"] == "shared").tolist()


def test_nothing_shared_and_everything_shared(sets: tuple[LabelSet, LabelSet]) -> None:
    one, _ = sets
    same = differences((one, one))
    assert (len(same.shared), len(same.only_one), len(same.only_two)) == (len(one), 0, 0)
    assert set(same.by_token["difference"].tolist()) == {0}
    other = differences((drawn(TOKENS, [1], CORPUS, "a"), drawn(TOKENS, [2], CORPUS, "b")))
    assert (len(other.shared), len(other.only_one), len(other.only_two)) == (0, 1, 1)


def test_labels_alone_are_refused() -> None:
    bare = set_of([("a", 0, 1)])
    with pytest.raises(UserError, match="nothing of token, context_before"):
        differences((bare, bare))


def test_kinds_of_passages_are_told_by_the_bundled_corpus_only() -> None:
    assert kind_of("weather-000012", "demo") == "weather"
    assert kind_of("weather-000012", "my.txt") == "weather-000012"
    assert kind_of("unheard-000012", "demo") == "unheard-000012"
