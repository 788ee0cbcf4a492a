"""Classes of tokens, whatever a tokenizer does with the space before a word."""

from __future__ import annotations

import pytest

from itda_core.analysis.atoms.honesty.token_class import CLASSES, class_of


@pytest.mark.parametrize(
    ("before", "token", "after", "words"),
    [
        ("the", " cat", " sat", "whole word in small letters after a space"),
        ("the ", "cat", " sat", "whole word in small letters after a space"),  # WordPiece leaves the space between
        ("", "cat", " sat", "whole word in small letters"),
        ("the", " Cat", ".", "whole word capitalised after a space"),
        ("(", "NASA", ")", "whole word in capitals"),
        ("saw ", "I", " go", "whole word capitalised after a space"),
        ("the", " home", "work", "beginning of a word in small letters after a space"),
        (" home", "work", ".", "later piece of a word in small letters"),
        ("home", "wor", "k", "later piece of a word in small letters"),
        ("cafe", "\u0301", " ", "later piece of a word without case"),
        ("a ", "1,234.5", " m", "number after a space"),
        ("it", " ½", "", "number after a space"),
        ("end", ".", "\n", "punctuation"),
        ("end", ' "', "I", "punctuation after a space"),
        ("a", " +", "b", "sign after a space"),
        ("a", "👩", "b", "sign"),
        ("end.", "\n\n", "The", "line break"),
        ("a", "  ", "b", "space"),
        ("a", "", "b", "nothing"),
        ("我", "们", "的", "later piece of a word without case"),
        ("x", "ÉTÉ", " ", "later piece of a word in capitals"),
    ],
)
def test_a_class_says_what_kind_of_token_it_is(before: str, token: str, after: str, words: str) -> None:
    assert str(CLASSES[class_of(token, before, after)]) == words


def test_every_class_has_words_of_its_own() -> None:
    assert len({*map(str, CLASSES)}) == len(CLASSES)
