"""Which token of one decomposition stands for the same text as one of another."""

from __future__ import annotations

from itda_core.analysis.beside import counterpart
from itda_core.analysis.decompose import Decomposition, TokenDecomposition


def cut(*texts: str, special: tuple[str, ...] = ()) -> Decomposition:
    """A decomposition whose tokens are these pieces of one text."""
    tokens, start = [], 0
    for index, text in enumerate(texts):
        end = start if text in special else start + len(text)
        tokens.append(TokenDecomposition(index, text, start, end, text in special, 0.1, 0.9, 0, 1.0, ()))
        start = end
    return Decomposition("m", 0, "resid_post", 4, "mp", "", tuple(tokens))


def test_the_same_tokens_answer_to_each_other_special_ones_too() -> None:
    one, other = cut("<s>", "The", " dog", special=("<s>",)), cut("<s>", "The", " dog", special=("<s>",))
    for token in one.tokens:
        assert counterpart(one, token, other) == (other.tokens[token.index], True)


def test_other_tokens_answer_where_they_end_at_the_same_character() -> None:
    one, other = cut("The", " little", " dog"), cut("[CLS]", "The", " lit", "tle d", "og", special=("[CLS]",))
    assert counterpart(one, one.tokens[0], other) == (other.tokens[1], False)
    assert counterpart(one, one.tokens[1], other) == (None, False)
    assert counterpart(one, one.tokens[2], other) == (other.tokens[4], False)


def test_a_special_token_has_no_place_in_the_text() -> None:
    one, other = cut("<s>", "The", special=("<s>",)), cut("[CLS]", "The", special=("[CLS]",))
    assert counterpart(one, one.tokens[0], other) == (None, False)


def test_of_pieces_of_one_character_the_last_is_taken() -> None:
    one = cut("a", "😀")
    pieces = [TokenDecomposition(i, "😀", 1, 2, False, 0.1, 0.9, 0, 1.0, ()) for i in (1, 2, 3)]
    other = Decomposition("m", 0, "resid_post", 4, "mp", "", (cut("a").tokens[0], *pieces))
    assert counterpart(one, one.tokens[1], other).token is pieces[-1]
