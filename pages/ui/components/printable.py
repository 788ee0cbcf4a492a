"""Text as a reader of the pages can see it, also where a label is parsed as Markdown."""

from __future__ import annotations

from itda_core.printable import unseen, visible, visible_token

__all__ = ["NONE", "escaped", "unseen", "visible", "visible_token"]

NONE = "—"  # in a table's cell that has no value
_MARKDOWN = set("\\`*_{}[]()<>#+-.!|~$:^=&\"'/@")


def escaped(text: str) -> str:
    """`text` for a label that is parsed as Markdown: it stays on one line, and none of its signs means anything.

    This is only for names that the library itself allows; other people's text goes where nothing is parsed.
    """
    return "".join(f"\\{sign}" if sign in _MARKDOWN else sign for sign in visible(text))
