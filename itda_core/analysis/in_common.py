"""What the places of one atom have in common: the same word, the same word before, the same kind of token.

An atom that is the mean of several activations has several labels; what they share says in a few words what the atom
stands for. No tensor is needed: a label is a token and the text around it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, Protocol

from itda_core.dictionaries.provenance import CONTEXT_BEFORE
from itda_core.printable import visible, visible_token

if TYPE_CHECKING:
    from itda_core.analysis.decompose import AtomUse

MOST_TOKENS = 6  # of an atom's tokens that are named; the others are counted
SHORT_TOKENS = 3  # the same where one line is all there is
_ENOUGH = 0.75  # of the labels: what fewer share is no pattern of the atom
_MOST_PATTERNS = 2
_LONGEST = 40  # characters of a word that are quoted
# Chinese, Japanese, Thai, Lao, Burmese and Khmer have no spaces between words: a token there is a word of its own.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


class Seen(Protocol):
    """A token with the text around it."""

    @property
    def token(self) -> str: ...
    @property
    def context_before(self) -> str: ...
    @property
    def context_after(self) -> str: ...


class Shared(NamedTuple):
    """Something that `count` of an atom's `of` labels share, in words."""

    words: str  # visible text on one line, with words of the corpus in it: never to be parsed
    count: int
    of: int

    def __str__(self) -> str:
        return f"{'all' if self.count == self.of else f'{self.count} of {self.of}'}: {self.words}"


class Named(NamedTuple):
    """The tokens of an atom's labels, each form once, the most frequent first."""

    tokens: tuple[str, ...]  # visible; "park ×3" where several labels have the same
    more: int  # forms that are not among them

    def __str__(self) -> str:
        return " · ".join([*self.tokens, *([f"+{self.more}"] if self.more else [])])


def named(tokens: Sequence[str], most: int = MOST_TOKENS, *, counted: bool = True) -> Named:
    """The different forms among `tokens`, a space before or behind being none of the word's.

    counted: with how often each is there.
    """
    forms = Counter(token.strip(" ") or token for token in tokens)
    shown = [
        visible_token(form) + (f" ×{count}" if counted and count > 1 else "") for form, count in forms.most_common(most)
    ]
    return Named(tuple(shown), len(forms) - len(shown))


def short_label(tokens: Sequence[str]) -> str:
    """An atom in a word, or a few: the only token of its labels as it is, or the most frequent ones of several labels,
    visible: `park · deer · school · +2`. The same in every list, map and search.
    """
    if len(tokens) == 1:
        return visible_token(tokens[0])
    return str(named(tokens, SHORT_TOKENS, counted=False))


def tokens_of(use: AtomUse, most: int = MOST_TOKENS, *, counted: bool = True) -> str:
    """The tokens of an atom's labels, visible: `park · deer · +2`; that of the only one as it is."""
    return str(named([place.token for place in use.places], most, counted=counted)) if use.further else use.token


def pattern_of(use: AtomUse) -> str:
    """What an atom's labels have in common, visible; "" where there is nothing, or one label alone."""
    return "; ".join(map(str, in_common(use.places))) if use.further else ""


def in_common(places: Sequence[Seen]) -> tuple[Shared, ...]:
    """What at least three quarters of `places` share, what most of them do first, at most two things; () for one place.

    Upper and lower case are the same, and so are the ways to write an accent.
    """
    return _in_common(tuple((place.token, place.context_before, place.context_after) for place in places))


@lru_cache(maxsize=4096)  # a page asks again at every click
def _in_common(places: tuple[tuple[str, str, str], ...]) -> tuple[Shared, ...]:
    if len(places) < 2:
        return ()
    found = [shared for pattern in _PATTERNS if (shared := _shared(pattern, places)) is not None]
    found.sort(key=lambda one: -one[1].count)  # stable: of equal ones the more telling first
    chosen: list[Shared] = []
    told: set[str] = set()
    for about, shared in found:
        if about not in told and len(chosen) < _MOST_PATTERNS:
            chosen.append(shared)
            told.add(about)
    return tuple(chosen)


class _Pattern(NamedTuple):
    """One thing that labels may share."""

    about: str  # of two patterns about the same thing the first found is told
    read: Callable[[str, str, str], str | None]  # its value at a place; None where it has none
    say: Callable[[str], str]
    fewest: int = 2  # labels, below which sharing it means nothing


def _shared(pattern: _Pattern, places: Sequence[tuple[str, str, str]]) -> tuple[str, Shared] | None:
    values = [value for place in places if (value := pattern.read(*place)) is not None]
    forms: dict[str, Counter[str]] = {}
    for value in values:
        forms.setdefault(_folded(value), Counter())[value] += 1
    if not forms or len(places) < pattern.fewest:
        return None
    best = max(forms.values(), key=Counter.total)
    if best.total() < max(2, ceil(_ENOUGH * len(places))):
        return None
    return pattern.about, Shared(pattern.say(best.most_common(1)[0][0]), best.total(), len(places))


def _folded(text: str) -> str:
    if text.isascii():  # nearly all there is
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _letter(character: str) -> bool:
    """Whether it is part of a word: a letter, a digit, or an accent of its own upon one."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _joined(left: str, right: str) -> bool:
    """Whether the end of `left` and the beginning of `right` are of one word."""
    if not left or not right or not _letter(left[-1]) or not _letter(right[0]):
        return False
    return not (_UNSPACED.match(left[-1]) or _UNSPACED.match(right[0]))


def _beginning(text: str) -> str:
    """The letters at the beginning of `text`."""
    end = next((i for i, character in enumerate(text) if not _letter(character)), len(text))
    return text[:end]


def _ending(text: str) -> str:
    return _beginning(text[::-1])[::-1]


def _word(token: str, before: str, after: str) -> str | None:
    """The whole word that the token is, or is a piece of; None where it is no word."""
    bare = token.strip()
    if not bare or not all(map(_letter, bare)):
        return None
    left = _ending(before) if _joined(before, token) else ""
    right = _beginning(after) if _joined(token, after) else ""
    return f"{left}{bare}{right}"


def _same_token(token: str, before: str, after: str) -> str | None:
    bare = token.strip()
    return bare if bare and _word(token, before, after) in (None, bare) else None


def _same_piece(token: str, before: str, after: str) -> str | None:
    word = _word(token, before, after)
    return token.strip() if word is not None and word != token.strip() else None


def _split_word(token: str, before: str, after: str) -> str | None:
    word = _word(token, before, after)
    return word if word != token.strip() else None


def _word_before(token: str, before: str, after: str) -> str | None:
    """The word, or the sign, right before the token's word; None where none is known."""
    if _joined(before, token):
        before = before[: len(before) - len(_ending(before))]
    rest = before.rstrip(" \t")
    if not rest or rest[-1] in "\r\n":
        return None
    word = _ending(rest)
    if _UNSPACED.match(rest[-1]):
        return rest[-1]
    if len(word) == len(rest) >= CONTEXT_BEFORE:
        return None  # the context may begin within it
    return word or rest[-1]


def _line_start(token: str, before: str, after: str) -> str | None:
    if token.isspace():
        return None
    rest = before.rstrip(" \t")
    if not rest:
        return "text" if len(before) < CONTEXT_BEFORE else None
    return "line" if rest[-1] in "\r\n" else None


def _kind(token: str, before: str, after: str) -> str | None:
    """What kind of token it is; None for a word in small letters, which says nothing."""
    bare = token.strip()
    if not bare:
        return "line breaks" if "\n" in token or "\r" in token else "spaces" if token else None
    if all(character.isdecimal() or character in ".,:/-%" for character in bare) and any(map(str.isdecimal, bare)):
        return "numbers"
    categories = {unicodedata.category(character)[0] for character in bare}
    if categories <= {"P"}:
        return "punctuation"
    if categories <= {"P", "S"}:
        return "signs"
    word = _word(token, before, after)
    if word is not None and not _UNSPACED.match(bare) and word != bare:
        return "beginnings of words" if not _joined(before, token) else "pieces within or at the end of words"
    if len(bare) > 1 and bare.isupper():
        return "in capitals"
    return "capitalised" if bare[0].isupper() or bare[0].istitle() else None


def _suffix(token: str, before: str, after: str) -> str | None:
    """The last three letters of a longer word."""
    word = _word(token, before, after)
    return word[-3:] if word is not None and len(word) > 4 and word.isalpha() and not _UNSPACED.search(word) else None


def _quoted(text: str) -> str:
    shown = visible(text)
    return f"“{shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + '…'}”"


def _said_before(value: str) -> str:
    word = _letter(value[0]) and not _UNSPACED.match(value)
    return f"word before is {_quoted(value)}" if word else f"after {_quoted(value)}"


_PATTERNS = (
    _Pattern("token", _same_token, lambda value: f"the {'word' if value.isalpha() else 'token'} {_quoted(value)}"),
    _Pattern("token", _split_word, lambda value: f"in the word {_quoted(value)}"),
    _Pattern("token", _same_piece, lambda value: f"the word piece {_quoted(value)}"),
    _Pattern("before", _word_before, _said_before),
    _Pattern("before", _line_start, lambda value: f"at the beginning of a {value}"),
    _Pattern("token", _suffix, lambda value: f"words ending in {_quoted('-' + value)}", fewest=3),
    _Pattern("token", _kind, str),
)
