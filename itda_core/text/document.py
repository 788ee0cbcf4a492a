"""The documents of a corpus, and their source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Document:
    """One text with an id that stays the same each time the corpus is read."""

    id: str
    text: str


class Source(NamedTuple):
    """What a Corpus is made of."""

    id: str
    read: Callable[[], Iterator[Document]]  # a new pass over the documents
    fingerprint: Callable[[], str]
