"""One prompt in two dictionaries: which token of the one is that of the other."""

from __future__ import annotations

from typing import NamedTuple

from itda_core.analysis.decompose import Decomposition, TokenDecomposition


class Counterpart(NamedTuple):
    """The token of another decomposition that stands for the same text."""

    token: TokenDecomposition | None  # None where there is none
    same_tokens: bool  # whether both models read the prompt in the same tokens


def counterpart(shown: Decomposition, token: TokenDecomposition, other: Decomposition) -> Counterpart:
    """The token of `other` for `token` of `shown`, both of one prompt.

    Models that read other tokens are compared where a token of `other` ends at the same character: what a model with
    causal attention has read is the same there.
    """
    if list(map(_place, shown.tokens)) == list(map(_place, other.tokens)):
        return Counterpart(other.tokens[token.index], True)
    if token.special:
        return Counterpart(None, False)
    ends = [one for one in other.tokens if not one.special and one.char_end == token.char_end > one.char_start]
    return Counterpart(ends[-1] if ends else None, False)


def _place(token: TokenDecomposition) -> tuple[str, int, int, bool]:
    return token.text, token.char_start, token.char_end, token.special
