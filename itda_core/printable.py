"""Text as a reader can see it: control characters, line ends and lone spaces get a sign of their own."""

from __future__ import annotations

import unicodedata

_KEPT = {"\u200d", "\ufe0f"}  # they join emoji into one picture; a sign would break it apart
_LINE_SIGNS = {"\n": "↵", "\t": "⇥", "\r": "␍"}
_SIGNS = {**_LINE_SIGNS, "\x7f": "␡", "\u00a0": "⍽"}


def visible(text: str, *, escapes: bool = False) -> str:
    """`text` on one line, with a sign for every character that would not show (or would reorder what does).

    escapes: for terminals. Apart from line ends and tabs, such a character is then written as an escape, `\\x1b`, which
    every font and encoding has.
    """
    if text.isascii() and text.isprintable():
        return text  # most text ends here, and figures hold thousands of lines
    return "".join(map(_escape if escapes else _sign, text))


def visible_token(text: str) -> str:
    """A token as `visible` text; one that is empty or only spaces becomes dots, so that there is something to click."""
    if not text:
        return "∅"
    return "·" * len(text) if not text.strip(" ") else visible(text)


def indentation(text: str) -> str:
    """The blanks with which a token that ends a line begins the next one: that is where they are to be shown."""
    _, end, after = text.rpartition("\n")
    return after if end and not after.strip(" \t") else ""


def unseen(text: str) -> bool:
    """Whether nothing of `text` would show by itself."""
    return not text.strip() or all(_sign(character) != character for character in text)


def _sign(character: str) -> str:
    if character in _SIGNS:
        return _SIGNS[character]
    if character in _KEPT:
        return character
    category = unicodedata.category(character)
    if category == "Cc" and character < " ":
        return chr(0x2400 + ord(character))
    if category in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp"):
        return f"⟨{ord(character):04X}⟩"
    return character


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return _LINE_SIGNS.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
