"""Text as a reader can see it: control characters, line ends and lone spaces get a sign of their own."""

from __future__ import annotations

import unicodedata

_KEPT = {"\u200d", "\ufe0f"}  # they join emoji into one picture; a sign would break it apart
_MARKDOWN = set("\\`*_{}[]()<>#+-.!|~$:^=&\"'/@")
_SIGNS = {"\n": "↵", "\t": "⇥", "\r": "␍", "\x7f": "␡", "\u00a0": "⍽"}


def visible(text: str) -> str:
    """`text` on one line, with a sign for every character that would not show (or would reorder what does)."""
    if text.isascii() and text.isprintable():
        return text  # nearly all there is, and figures tell thousands of lines
    return "".join(map(_sign, text))


def visible_token(text: str) -> str:
    """A token as `visible` text; one that is empty or only spaces becomes dots, so that there is something to click."""
    if not text:
        return "∅"
    return "·" * len(text) if not text.strip(" ") else visible(text)


def unseen(text: str) -> bool:
    """Whether nothing of `text` would show by itself."""
    return not text.strip() or all(_sign(character) != character for character in text)


def escaped(text: str) -> str:
    """`text` for a label that is parsed as Markdown: all on one line, no sign of it means anything.

    Only for names that the library itself allows; other people's text goes where nothing is parsed.
    """
    return "".join(f"\\{sign}" if sign in _MARKDOWN else sign for sign in visible(text))


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
