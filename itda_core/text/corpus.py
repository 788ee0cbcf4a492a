"""A corpus: a sequence of documents with stable ids that can be read again and again."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name

from itda_core.errors import UserError
from itda_core.foreign import valid
from itda_core.text.corpus_kinds import FILE, GRAMMAR, kind_of
from itda_core.text.document import Document
from itda_core.text.pieces import pieces


class Corpus:
    """Documents in a fixed order, read lazily and anew by every `for`.

    `id` names the corpus for people; `fingerprint` (hexadecimal sha256, worked out when first asked for) is equal for
    equal text, so that dictionaries built on the same text can be recognised.
    """

    def __init__(self, id: str, read: Callable[[], Iterator[Document]], fingerprint: Callable[[], str]) -> None:
        """`read` starts a new pass over the documents; `fingerprint` computes the digest of their source."""
        self.id = id
        self._read = read
        self._fingerprint = fingerprint

    def __iter__(self) -> Iterator[Document]:
        return self._read()

    def __repr__(self) -> str:
        return f"Corpus({self.id!r})"

    @cached_property
    def fingerprint(self) -> str:
        return self._fingerprint()

    @classmethod
    def open(cls, reference: str | os.PathLike[str]) -> Corpus:
        """The corpus that `reference` names: `demo`, a file, or `hf:NAME[/CONFIG][@SPLIT][#COLUMN]` (streamed).

        The column of a .jsonl, .csv or .parquet file may follow its path: `reviews.csv#body`. A pathlib.Path is a
        file. Documents of more than pieces.LONGEST_DOCUMENT characters come in several.

        Raises UserError when nothing is found under this name, or when it is empty, binary, not UTF-8 or lacks the
        column; damage further into a file, and a file that changes while it is read, are reported, also as UserError,
        when reading comes to it.
        """
        given = os.fspath(reference) if isinstance(reference, os.PathLike) else reference
        if not isinstance(given, str):
            raise UserError(f"Corpus {given!r:.200} is neither a name nor a path; give {GRAMMAR}.")
        if isinstance(reference, os.PathLike):
            return cls(*resolve_name(FILE.open)(Path(given)))._with_text(given)
        reference = given.strip()
        if not reference:
            raise UserError(f"No corpus was named; give {GRAMMAR}.")
        return cls(*resolve_name(kind_of(reference).open)(reference))._with_text(reference)

    def _with_text(self, reference: str) -> Corpus:
        """Itself. Raises UserError when no document holds any text."""
        if not any(document.text.strip() for document in self):
            raise UserError(f"Corpus {reference} holds no text; give one with at least one document.")
        return self

    @classmethod
    def of(cls, given: Corpus | str | os.PathLike[str]) -> Corpus:
        """`given`, or the corpus that it names, see `open`."""
        return cls.open(given) if isinstance(given, (str, os.PathLike)) else given

    @classmethod
    def from_documents(cls, id: str, documents: Iterable[Document]) -> Corpus:
        """A corpus held in memory; its fingerprint is the sha256 of its ids and texts.

        Raises UserError when two documents share an id: a label could not say which of them it stands for.
        """
        documents = tuple(documents)
        for document in documents:
            if not isinstance(document.id, str) or not isinstance(document.text, str):
                raise UserError(f"Document {document.id!r:.200} of corpus {id}: its id and its text must be str.")
        held = tuple(piece for document in documents for piece in pieces(valid(document.id), valid(document.text)))
        ids = Counter(document.id for document in held)
        if repeated := [id for id, count in ids.items() if count > 1]:
            raise UserError(f"Several documents of corpus {id} are called {repeated[0][:200]!r}; give each its own id.")

        def fingerprint() -> str:
            digest = hashlib.sha256()
            for document in held:
                for part in (document.id, document.text):
                    raw = part.encode("utf-8", "surrogatepass")
                    digest.update(len(raw).to_bytes(8, "little") + raw)
            return digest.hexdigest()

        return cls(id, lambda: iter(held), fingerprint)
