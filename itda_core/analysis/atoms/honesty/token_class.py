"""What class of token a piece of text is: a number, punctuation, a word in capitals, the end of a word."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import NamedTuple

# Where a token of a word stands in it.
_PLACES = ("whole word", "beginning of a word", "later piece of a word")
_CASES = ("in small letters", "capitalised", "in capitals", "without case")
_OTHERS = ("number", "punctuation", "sign")
_BLANKS = ("line break", "space", "nothing")


class TokenClass(NamedTuple):
    """One class of tokens; two tokens are of the same class where all of it is the same."""

    sort: str  # "word", "number", "punctuation", "sign", "line break", "space" or "nothing"
    place: str = ""  # of a word: whole, its beginning, or a later piece of it
    case: str = ""  # of a word
    after_space: bool = False  # whether a space (or a line break) stands right before its first sign

    def __str__(self) -> str:
        space = " after a space" if self.after_space else ""
        return f"{self.place} {self.case}{space}" if self.sort == "word" else f"{self.sort}{space}"


CLASSES: tuple[TokenClass, ...] = (
    *(TokenClass("word", place, case, after) for place in _PLACES for case in _CASES for after in (False, True)),
    *(TokenClass(sort, after_space=after) for sort in _OTHERS for after in (False, True)),
    *map(TokenClass, _BLANKS),
)
_NUMBER = {one: i for i, one in enumerate(CLASSES)}


def class_of(token: str, before: str, after: str) -> int:
    """The number in CLASSES of a token's class.

    before, after: the text around it, of which one character each matters. A space counts the same whether the
    tokenizer makes it a part of the token (byte-level, SentencePiece) or leaves it between two (WordPiece).
    """
    return _class_of(token, before[-1:], after[:1])


@lru_cache(maxsize=65_536)
def _class_of(token: str, before: str, after: str) -> int:
    bare = token.strip()
    if not bare:
        return _NUMBER[TokenClass("line break" if {*token} & {*"\r\n"} else "space" if token else "nothing")]
    left = token[: len(token) - len(token.lstrip())][-1:] or before
    after_space = left.isspace()
    if any(map(str.isnumeric, bare)) and all(c.isnumeric() or c in ".,:/-%" for c in bare):
        return _NUMBER[TokenClass("number", after_space=after_space)]
    if not any(map(_in_word, bare)):
        signs = all(unicodedata.category(c).startswith("P") for c in bare)
        return _NUMBER[TokenClass("punctuation" if signs else "sign", after_space=after_space)]
    joined = bool(left) and _in_word(left) and _in_word(bare[0])
    goes_on = token == token.rstrip() and bool(after) and _in_word(after) and _in_word(bare[-1])
    place = _PLACES[2] if joined else _PLACES[1] if goes_on else _PLACES[0]
    return _NUMBER[TokenClass("word", place, _case(bare), after_space)]


def _in_word(character: str) -> bool:
    """Whether it is a part of words: a letter, a digit, or an accent of its own upon one."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _case(word: str) -> str:
    letters = [c for c in word if c.isalpha()]
    cased = [c for c in letters if c.lower() != c.upper()]
    if not cased:
        return _CASES[3]
    if all(map(str.isupper, cased)) and len(cased) > 1:
        return _CASES[2]
    return _CASES[1] if cased[0].isupper() or cased[0].istitle() else _CASES[0]
