"""What an atom's labels have in common: plain examples, and what holds for any text."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itda_core.analysis.in_common import MOST_TOKENS, in_common, named, short_label
from itda_core.dictionaries.provenance import CONTEXT_BEFORE
from itda_core.printable import visible


class At(NamedTuple):
    token: str
    context_before: str = "I saw "
    context_after: str = " again"


def words(*places: At) -> list[str]:
    return [str(shared) for shared in in_common(places)]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([At(" park", "to the"), At(" deer", "saw The"), At(" school", "by the "), At("home", "in the ")],
         ["all: word before is “the”"]),
        ([At(" park", "in a"), At("Park", "The "), At(" PARK", "no")], ["all: the word “park”"]),
        ([At(" park", "to the"), At(" park", "by the")], ["all: the word “park”", "all: word before is “the”"]),
        ([At("phot", "one ", "ograph"), At(" phot", "my", "ographer")], ["all: the word piece “phot”"]),
        ([At("phot", "one ", "ograph"), At("ogr", "my phot", "aph")], ["all: in the word “photograph”"]),
        ([At("gra", "one pho", "ph"), At("mon", "my com", "s")], ["all: pieces within or at the end of words"]),
        ([At("pho", "one ", "to"), At(" com", "my", "mon")], ["all: beginnings of words"]),
        ([At(" 12", "on"), At("3.5", "at "), At("700", "by ")], ["all: numbers"]),
        ([At(",", "one"), At(".", "two")], ["all: punctuation"]),
        ([At(" +", "one"), At("=", "two")], ["all: signs"]),
        ([At("\n", "one"), At("\r\n\n", "two")], ["all: line breaks"]),
        ([At(" ", "one"), At("   ", "two")], ["all: spaces"]),
        ([At(" Maria", "saw"), At("Bruno", "met ")], ["all: capitalised"]),
        ([At(" NASA", "saw"), At("EU", "met ")], ["all: in capitals"]),
        ([At(" a", "one."), At("two", "three. ")], ["all: after “.”"]),
        ([At("a", "one\n"), At("two", "three\n  ")], ["all: at the beginning of a line"]),
        ([At("a", ""), At("two", "")], ["all: at the beginning of a text"]),
        ([At(" going", "is"), At("seeing", "was "), At("reading", "by ")], ["all: words ending in “-ing”"]),
        ([At(" going", "is"), At("seeing", "was ")], []),  # two may end alike by chance
        ([At(" one", "is"), At(" two", "was")], []),
        ([At(" one", "is")], []),  # one place has nothing in common
        ([], []),
    ],
)  # fmt: skip
def test_examples(places: list[At], expected: list[str]) -> None:
    assert words(*places) == expected


def test_three_quarters_are_enough_and_what_all_share_comes_first() -> None:
    three = [At(" park", "in a"), At(" park", "by my"), At(" park", "no")]
    assert words(*three, At(" deer", "saw two")) == ["3 of 4: the word “park”"]
    assert words(*three[:2], At(" deer", "saw two")) == []
    assert words(*(At(f" {w}", "x the") for w in ("park", "park", "park", "deer"))) == [
        "all: word before is “the”",
        "3 of 4: the word “park”",
    ]


def test_accents_and_case_are_the_same_however_they_are_written() -> None:
    assert words(At(" café", "one"), At(" cafe\u0301", "two"), At(" CAFÉ", "my")) == ["all: the word “café”"]
    assert words(At("straße", "one "), At("STRASSE", "two ")) == ["all: the word “straße”"]


def test_text_without_spaces_between_words() -> None:
    assert words(At("学", "中", "生"), At("国", "中", "人")) == ["all: after “中”"]
    assert words(At("学", "大", "生"), At("学", "中", "人")) == ["all: the word “学”"]


def test_a_word_that_the_context_may_cut_is_not_told() -> None:
    cut = "a" * CONTEXT_BEFORE
    assert words(At(" one", cut), At(" two", cut)) == []
    assert words(At(" one", cut[1:]), At(" two", cut[1:])) != []


def test_tokens_are_named_once_each_and_the_others_counted() -> None:
    assert str(named([" park", "deer", " park ", "school"])) == "park ×2 · deer · school"
    assert str(named([f"t{i}" for i in range(8)])) == "t0 · t1 · t2 · t3 · t4 · t5 · +2"
    assert str(named([" ", "\n", ""])) == "· · ↵ · ∅"
    assert str(named([" park"])) == "park"


texts = st.text(max_size=12)
places = st.lists(st.builds(At, texts, texts, texts), max_size=9)


@given(places)
def test_whatever_the_text_every_sentence_holds(seen: list[At]) -> None:
    found = in_common(seen)
    assert len(found) <= 2
    for shared in found:
        assert 2 <= shared.count <= shared.of == len(seen)
        assert shared.count >= 0.75 * shared.of
        assert visible(str(shared)) == str(shared)
    assert [shared.count for shared in found] == sorted((shared.count for shared in found), reverse=True)


@given(places, st.randoms())
def test_the_order_of_the_labels_changes_no_count(seen: list[At], random) -> None:
    mixed = list(seen)
    random.shuffle(mixed)
    assert [shared.count for shared in in_common(seen)] == [shared.count for shared in in_common(mixed)]


@given(texts.filter(str.strip), st.integers(2, 6))
def test_the_same_place_again_and_again_shares_all_that_is_told_of_it(token: str, often: int) -> None:
    found = in_common([At(token)] * often)
    assert found
    assert all(shared.count == often for shared in found)


@given(st.lists(texts, max_size=12), st.integers(1, 8))
def test_every_token_is_named_or_counted(tokens: list[str], most: int) -> None:
    shown = named(tokens, most)
    assert len(shown.tokens) <= most
    assert len(shown.tokens) + shown.more == len({token.strip(" ") or token for token in tokens})
    assert all(visible(token) == token for token in shown.tokens)
    assert MOST_TOKENS == 6


def test_an_atom_in_a_few_words() -> None:
    assert short_label([" park"]) == " park"
    assert short_label(["  "]) == "··"
    assert short_label([" park", "deer", " deer", " school"]) == "deer · park · school"
    assert short_label([" park", " deer", " school", " pond", "park", "\n"]) == "park · deer · school · +2"
