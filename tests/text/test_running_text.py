"""A window's text in pieces: joined they are the text, and the tokens of one character are one piece."""

from __future__ import annotations

import pytest

from itda_core.text.running_text import part_of, running

TEXT = "a 🙂 café!"
SPANS = [(0, 1), (1, 2), (2, 3), (2, 3), (2, 3), (2, 3), (4, 7), (7, 8), (7, 8), (8, 9)]  # "é" is two bytes
VALUES = [0.0, 0.0, 0.1, -0.9, 0.3, 0.0, 0.0, 0.0, 0.5, 0.0]


@pytest.mark.parametrize("at", range(len(SPANS)))
def test_the_pieces_join_to_the_text_and_the_example_is_one_of_them(at: int) -> None:
    pieces = running(TEXT, SPANS, VALUES, at, 0, len(SPANS))
    assert "".join(piece.text for piece in pieces) == TEXT
    (own,) = [piece for piece in pieces if piece.token == at]
    start, end = SPANS[at]
    assert (own.text, own.value) == (TEXT[start:end], VALUES[at])


def test_a_character_has_the_strongest_of_its_tokens_where_none_is_asked_for() -> None:
    pieces = {piece.text: (piece.token, piece.value) for piece in running(TEXT, SPANS, VALUES, 0, 0, len(SPANS))}
    assert pieces["🙂"] == (3, -0.9)
    assert pieces["é"] == (8, 0.5)
    assert [piece.text for piece in running(TEXT, SPANS, VALUES, 4, 4, 7)] == ["🙂", " ", "caf"]
    assert running(TEXT, SPANS, VALUES, 4, 4, 4) == []


def test_a_token_that_begins_within_the_one_before_adds_the_rest() -> None:
    (piece,) = running("ab🙂", [(0, 3), (2, 3)], [0.0, 1.0], 1, 0, 2)
    assert piece == ("ab🙂", 1, 1.0)


def test_which_of_the_tokens_of_a_character_one_is() -> None:
    assert [part_of(SPANS, at) for at in range(2, 6)] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert part_of(SPANS, 0) is None
    assert part_of([(3, 3), (3, 3)], 0) is None, "tokens of no characters"
