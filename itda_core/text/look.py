"""A first look at a corpus, before anything is built on it: its columns of text, its first documents, what is wrong."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from itda_core import hub
from itda_core.errors import UserError, about
from itda_core.text.corpus import Corpus
from itda_core.text.corpus_kinds import FILE, HUB, kind_of
from itda_core.text.sources.files import TextColumns, text_columns

ROWS = 3
_LONGEST = 300  # characters of a document that are shown


class TextLook(NamedTuple):
    """What can be said of a corpus at once."""

    columns: TextColumns | None  # of a file that is a table
    rows: tuple[str, ...]  # how its first documents begin
    problem: UserError | None  # why it cannot be read, about the field `corpus`


def look(reference: str, *, offline: bool = False) -> TextLook:
    """Opens the corpus that `reference` names and reads its first documents; offline: without asking the Hub."""
    columns, rows = None, ()
    try:
        with about("corpus"):
            reference = reference.strip()
            if offline and kind_of(reference) is HUB:
                raise hub.unreachable("dataset", reference.removeprefix(HUB.prefix or ""))
            if reference and kind_of(reference) is FILE:
                columns = text_columns(reference)
            rows = tuple(document.text[:_LONGEST] for document in islice(Corpus.open(reference), ROWS))
    except UserError as error:
        return TextLook(columns, rows, error)
    return TextLook(columns, rows, None)
