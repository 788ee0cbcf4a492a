"""The bundled passages: stable, never repeated, grammatical where a test can tell, and truthful in their labels."""

from __future__ import annotations

import ast
import re
from collections import Counter
from hashlib import sha256
from itertools import islice

import pytest

from itda_core.text.passages import KINDS, LABELS, passages

N = 20_000


@pytest.fixture(scope="module")
def corpus():
    return list(passages(N))


def test_the_same_seed_gives_the_same_passages(corpus):
    assert list(passages(300)) == corpus[:300]
    assert list(islice(passages(None), 50)) == corpus[:50]
    assert [p.text for p in passages(50, seed=1)] != [p.text for p in corpus[:50]]


def test_output_is_the_same_on_every_machine():
    # Raise VERSION and renew this digest together, whenever the output changes on purpose.
    digest = sha256("\0".join(p.text for p in passages(200)).encode()).hexdigest()
    assert digest[:16] == "e5ed4824015f0a7b"


def test_no_passage_is_repeated_and_ids_are_unique(corpus):
    assert len({p.text for p in corpus}) == N
    assert len({p.id for p in corpus}) == N
    assert corpus[17].id == f"{corpus[17].kind}-000017"


def test_vocabulary_is_rich_and_every_kind_and_label_occurs(corpus):
    words = Counter(word for p in corpus for word in re.findall(r"[^\W\d_]+", p.text.lower()))
    assert len(words) >= 4000
    kinds = Counter(p.kind for p in corpus)
    assert set(kinds) == set(KINDS)
    assert len(KINDS) >= 12
    assert min(kinds.values()) > 0.8 * N / len(KINDS)
    assert {span.label for p in corpus for span in p.spans} == set(LABELS)


def test_lengths_are_bounded_and_sentences_rarely_repeat(corpus):
    assert all(150 <= len(p.text) <= 700 for p in corpus)
    sentences = Counter(
        s for p in corpus if p.kind == "story" for s in re.split(r"(?<=[.!?])\s", p.text) if len(s) > 40
    )
    assert len(sentences) > 0.8 * sentences.total()


NUMBER_WORD = re.compile(
    r"\d|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|teen|twenty|thirty|forty|fifty|sixty|"
    r"seventy|eighty|ninety|hundred|thousand|twice|first|second|third|fifth|eighth|ninth|twelfth|th$", re.IGNORECASE
)  # fmt: skip


def test_spans_lie_inside_the_text_and_agree_with_it(corpus):
    for p in corpus:
        for span in p.spans:
            piece = p.text[span.start : span.end]
            assert 0 <= span.start < span.end <= len(p.text)
            assert piece == piece.strip() or span.label == "comment", (p.id, span, piece)
            if span.label == "number":
                assert NUMBER_WORD.search(piece), (p.id, piece)
            elif span.label == "quotation":
                assert (piece[0], piece[-1]) in {('"', '"'), ("“", "”")}, (p.id, piece)
            elif span.label == "question":
                assert piece.endswith("?"), (p.id, piece)
            elif span.label == "comment":
                assert piece.startswith("#")
            elif span.label == "code_string":
                assert piece.endswith('"')


def test_labels_at_a_character(corpus):
    for p in corpus[:200]:
        for span in p.spans:
            labels = p.labels_at(span.start)
            assert labels[0] == f"kind:{p.kind}"
            assert span.label in labels
    with pytest.raises(ValueError, match="outside passage"):
        corpus[0].labels_at(len(corpus[0].text))


def test_python_passages_compile(corpus):
    for p in corpus:
        if p.kind == "python":
            ast.parse(p.text)


def test_every_equation_is_true(corpus):
    checked = 0
    for p in corpus:
        if p.kind != "arithmetic":
            continue
        for left, sign, right, result in re.findall(r"(\d+) ([-+*/×x]) (\d+) = (\d+)", p.text):
            a, b = int(left), int(right)
            value = {"+": a + b, "-": a - b, "*": a * b, "×": a * b, "x": a * b, "/": a / b}[sign]
            assert value == int(result), p.text
            checked += 1
        assert p.text.count(" = ") == len(re.findall(r"\d+ [-+*/×x] \d+ = \d+", p.text))
    assert checked > 2000


AN_BUT_CONSONANT_LETTER = ("hour", "honest", "heir")
A_BUT_VOWEL_LETTER = ("uni", "use", "ukulele", "eucalyptus", "one", "european")


def test_a_and_an_agree_with_the_next_word(corpus):
    for p in corpus:
        if p.kind == "python":
            continue
        for art, word in re.findall(r"(?<![\w.'’])(a|an|A|An) ([^\W\d_]+)", p.text):
            word = word.lower()
            vowel = word[0] in "aeiouéà"
            if word.startswith(AN_BUT_CONSONANT_LETTER):
                vowel = True
            elif word.startswith(A_BUT_VOWEL_LETTER):
                vowel = False
            assert (art.lower() == "an") == vowel, (p.id, art, word, p.text)


@pytest.mark.parametrize(("arguments", "remedy"), [
    ({"n": -1}, "give an integer"), ({"n": 2.5}, "give an integer"), ({"n": True}, "give an integer"),
    ({"seed": "0"}, "give one"), ({"kinds": []}, "name at least one"), ({"kinds": "story"}, "give a sequence"),
    ({"kinds": ["story", "poem"]}, "choose from"),
])  # fmt: skip
def test_bad_arguments_are_refused_at_once(arguments, remedy):
    with pytest.raises(ValueError, match=remedy):
        passages(**arguments)


def test_kinds_can_be_chosen():
    assert {p.kind for p in passages(60, kinds=["recipe", "python"])} == {"recipe", "python"}
    assert list(passages(0)) == []
