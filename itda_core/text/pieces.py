"""Documents of any length as documents that a tokenizer can take at once."""

from __future__ import annotations

from collections.abc import Iterator

from itda_core.text.document import Document

LONGEST_DOCUMENT = 1_000_000  # characters; a tokenizer needs some 200 bytes for each
# What a file's fingerprint records besides the file, because earlier versions read such documents differently:
CUT = f"cut at {LONGEST_DOCUMENT}"
NUMBERED = "ids by line"  # rows shared an id
_LOOKED_BACK = 1_000  # characters, for a place to cut


def pieces(id: str, text: str, changes: set[str] | None = None) -> Iterator[Document]:
    """`text` in documents of at most LONGEST_DOCUMENT characters, which together are the text: itself, mostly.

    They are cut behind a line's end or a space where one is near. The first keeps `id`; the others are called by it
    and the number of characters before them, as in `id+1000000`. changes: gets CUT where there are several.
    """
    if changes is not None and len(text) > LONGEST_DOCUMENT:
        changes.add(CUT)
    start = 0
    while start < len(text) or start == 0:
        end = start + LONGEST_DOCUMENT
        if end < len(text):
            places = (text.rfind(mark, end - _LOOKED_BACK, end) for mark in "\n ")
            end = next((place + 1 for place in places if place >= 0), end)
        yield Document(id if start == 0 else f"{id}+{start}", text[start:end])
        start = end
