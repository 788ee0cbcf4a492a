"""Documents of a .txt file: blocks of lines between blank lines."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader

from itda_core.errors import UserError
from itda_core.text.document import Document
from itda_core.text.pieces import LONGEST_DOCUMENT
from itda_core.text.sources.corpus_file import CorpusFile
from itda_core.text.sources.lines import lines


def choose(file: CorpusFile, opened: BufferedReader, column: str | None) -> None:
    """Raises UserError where a column was asked for: there is none."""
    if column is not None:
        raise UserError(f"Corpus file {file.path}: a .txt file has no columns; leave out '#{column[:200]}'.")


def columns(file: CorpusFile, opened: BufferedReader) -> tuple[str, ...]:
    """None: such a file is no table."""
    return ()


def column(chosen: None) -> None:
    """None."""


def fingerprinted(chosen: None) -> str:
    """Always "", because such a file is read in one way only."""
    return ""


def read(file: CorpusFile, opened: BufferedReader, chosen: None, changes: set[str]) -> Iterator[Document]:
    """Each block as it is, white space at its end dropped; one of more than LONGEST_DOCUMENT characters is cut.

    changes: stays as it is, for blocks have always been cut so.
    """
    block: list[str] = []
    size = number = 0
    for _, line in lines(file, opened, LONGEST_DOCUMENT, in_pieces=True):
        blank = not line.strip()
        if not blank:
            block.append(line)
            size += len(line)
        if block and (blank or size >= LONGEST_DOCUMENT):
            yield Document(f"{file.name}:{number:06d}", "".join(block).rstrip())
            block, size, number = [], 0, number + 1
    if block:
        yield Document(f"{file.name}:{number:06d}", "".join(block).rstrip())
