"""Names of dictionaries: letters and digits of every script, with the marks that belong to them, and a few signs."""

from __future__ import annotations

import unicodedata
from itertools import dropwhile, groupby

SIGNS = "_ .,+=@()-"  # besides letters, digits and marks
MOST_BYTES = 120  # file systems stop at 255, and "-2" and ".zip" are still to come
RULE = "choose letters, digits, spaces and . _ - + = @ ( ) , and begin with a letter or a digit"


def is_name(text: str) -> bool:
    """Whether a dictionary can be called `text`, whatever its length."""
    return text[:1].isalnum() and all(_fits(character, SIGNS) for character in text)


def cleaned(text: str, signs: str = SIGNS, most: int = MOST_BYTES) -> str:
    """`text` as a name of at most `most` bytes, with each run of other characters as one hyphen; "" if none remain.

    A mark (an accent that stands by itself, a vowel of an Indian script) stays with its letter.
    """
    runs = groupby(text, key=lambda character: _fits(character, signs))
    name = "".join("".join(run) if fits else "-" for fits, run in runs)
    name = "".join(dropwhile(lambda character: not character.isalnum(), name))
    return name.encode()[: max(most, 0)].decode(errors="ignore").rstrip("-._ ")


def _fits(character: str, signs: str) -> bool:
    return character.isalnum() or character in signs or unicodedata.category(character).startswith("M")
