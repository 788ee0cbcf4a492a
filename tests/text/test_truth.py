"""The truth about the bundled corpus: what the grammar knew, in whatever order it is asked."""

from __future__ import annotations

import random

import pytest

from itda_core.text import Corpus
from itda_core.text.document import Document
from itda_core.text.passages import passages
from itda_core.text.passages.truth import Truth, truth_of


@pytest.fixture(scope="module")
def known():
    return list(passages(120))


def expected(passage, character: int) -> str:
    """Straight from the spans, one at a time."""
    labels: list[str] = []
    for span in passage.spans:
        if span.start <= character < span.end and span.label not in labels:
            labels.append(span.label)
    return "/".join(labels)


def test_every_character_of_a_document_has_the_labels_of_its_spans(known):
    truth = Truth()
    for passage in known[:40]:
        assert truth.kind(passage.id) == passage.kind
        found = [truth.spans(passage.id, at) for at in range(len(passage.text))]
        assert found == [expected(passage, at) for at in range(len(passage.text))]
    every = {truth.spans(p.id, at) for p in known[:40] for at in range(len(p.text))}
    assert "" in every  # the grammar does not speak of every character
    assert any("/" in labels for labels in every if labels)  # and of some it knows several things


def test_documents_may_be_asked_for_in_any_order_and_again(known):
    truth, order = Truth(), random.Random(3)
    for passage in order.choices(known, k=300):
        at = order.randrange(len(passage.text))
        assert truth.spans(passage.id, at) == expected(passage, at)


def test_it_agrees_with_the_corpus_itself_at_its_end():
    corpus = Corpus.open("demo")
    truth = truth_of(corpus)
    assert truth is not None
    *_, last = corpus
    assert truth.kind(last.id) == last.id.rpartition("-")[0]
    assert truth.spans(last.id, len(last.text) - 1) is not None
    with pytest.raises(ValueError, match="outside"):
        truth.spans(last.id, len(last.text))


@pytest.mark.parametrize(
    "document", ["", "story", "story-", "story-999999", "story-00000²", "nothing-000000", "a-" + "9" * 5000]
)
def test_a_document_that_is_not_of_the_corpus_has_no_truth(document):
    truth = Truth()
    assert truth.kind(document) is None
    assert truth.spans(document, 0) is None


def test_another_corpus_has_no_truth_even_under_the_same_name():
    assert truth_of(Corpus.from_documents("demo", [Document("story-000000", "Once there was a dog.")])) is None
    assert truth_of(Corpus.from_documents("mine", [Document("story-000000", "Once there was a dog.")])) is None
