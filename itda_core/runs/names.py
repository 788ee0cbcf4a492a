"""Names of dictionaries: letters and digits of every script, with the marks that belong to them, and a few signs."""

from __future__ import annotations

import unicodedata
from itertools import dropwhile, groupby

from itda_core.errors import UserError

SIGNS = "_ .,+=@()-"  # besides letters, digits and marks
MOST_BYTES = 120  # file systems stop at 255, and "-2" and ".zip" are still to come
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))}
RULE = "choose letters, digits, spaces and . _ - + = @ ( ) , and begin with a letter or a digit"


def is_name(text: str) -> bool:
    """Whether a dictionary can be called `text`, whatever its length."""
    return text[:1].isalnum() and all(_fits(character, SIGNS) for character in text)


def check_name(text: str) -> str:
    """`text` without white space around it. Raises UserError where no dictionary can be called so."""
    name = text.strip()
    if not is_name(name) or name.endswith(".") or name.casefold() in _RESERVED:
        raise UserError(f"{name!r} cannot be a dictionary's name; {RULE}.", field="name")
    if len(name.encode()) > MOST_BYTES:
        raise UserError(f"The name has {len(name.encode())} bytes; choose one of at most {MOST_BYTES}.", field="name")
    return name


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
