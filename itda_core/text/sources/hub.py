"""Documents of a data set on the Hugging Face Hub, streamed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core import hub
from itda_core.errors import UserError
from itda_core.foreign import foreign, valid
from itda_core.text.document import Document, Source
from itda_core.text.pieces import pieces
from itda_core.text.sources.columns import COLUMN, listed

if TYPE_CHECKING:
    from datasets import IterableDataset

SPLIT = "train"  # read when no split is named
_GRAMMAR = re.compile(r"hf:(?P<path>[^@#]+)(?:@(?P<split>[^#]+))?(?:#(?P<column>.+))?")


class HubReference(NamedTuple):
    """A parsed `hf:NAME[/CONFIG][@SPLIT][#COLUMN]`; NAME may be `owner/name`."""

    names: tuple[tuple[str, str | None], ...]  # (name, config) as they may be meant, likeliest first
    split: str
    column: str | None


def parse(reference: str) -> HubReference:
    """Raises UserError when `reference` does not follow the grammar."""
    match = _GRAMMAR.fullmatch(reference)
    parts = match["path"].split("/") if match else []
    if match is None or not 1 <= len(parts) <= 3 or not all(parts) or valid(reference) != reference:
        raise UserError(
            f"Corpus {reference[:200]!r} cannot be read as hf:NAME[/CONFIG][@SPLIT][#COLUMN]; an example: "
            "hf:Salesforce/wikitext/wikitext-2-raw-v1@train#text."
        )
    if len(parts) == 1:
        names: tuple[tuple[str, str | None], ...] = ((parts[0], None),)
    elif len(parts) == 2:
        names = (("/".join(parts), None), (parts[0], parts[1]))
    else:
        names = (("/".join(parts[:2]), parts[2]),)
    return HubReference(names, match["split"] or SPLIT, match["column"])


def open_streamed(reference: str) -> Source:
    """The documents of a Hub data set, at the commit its main branch has now.

    Raises UserError when the Hub cannot be reached or has no such data set, configuration, split or column; while it
    is read, where the stream breaks or holds something else than text.
    """
    wanted = parse(reference)
    name, config, commit = _found(wanted)
    dataset = _load(name, config, wanted.split, commit)
    column = _column(dataset, wanted.column, name)
    id = f"hf:{name}{f'/{config}' if config else ''}@{wanted.split}#{column}"

    def read() -> Iterator[Document]:
        for number, row in enumerate(_rows(dataset, name)):
            text = row.get(column)
            if text is None:
                continue
            if not isinstance(text, str):
                raise UserError(
                    f"Data set {name}: {column!r} of row {number} is not text but {type(text).__name__}; name another "
                    "column with #COLUMN."
                )
            for piece in pieces(f"{number:06d}", valid(text)):
                yield Document(f"{id}:{piece.id}", piece.text)

    return Source(id, read, lambda: hashlib.sha256(f"{id} {commit}".encode()).hexdigest())


def _rows(dataset: IterableDataset, name: str) -> Iterator[dict[str, Any]]:
    """The rows of a data set. Raises UserError for whatever its stream raises: any format, any network."""
    rows, number = None, 0

    def broke(cause: str) -> UserError:
        return UserError(
            f"The stream of data set {name} broke after row {number} ({cause}); check the network, or choose another "
            "data set."
        )

    while True:
        with foreign(broke), hub.explained("dataset", name):
            rows = iter(dataset) if rows is None else rows
            row = next(rows, None)
        if row is None:
            return
        number += 1
        yield row


def _found(wanted: HubReference) -> tuple[str, str | None, str | None]:
    """Name, configuration and commit of the first reading of the reference that the Hub knows."""
    missing: hub.NotOnHub | None = None
    for name, config in wanted.names:
        try:
            info = hub.repository("dataset", name)
        except hub.NotOnHub as error:
            missing = missing or error
        else:
            return info.id, config, info.sha
    assert missing is not None
    raise missing


def _load(name: str, config: str | None, split: str, commit: str | None) -> IterableDataset:
    import datasets

    def refused(cause: str) -> UserError:
        # What is wrong here (an unknown configuration or split, a data set that is a script, a package that is missing)
        # the library says best.
        return UserError(
            f"Data set {name} (configuration {config or 'default'}, split {split}) cannot be opened ({cause}); name "
            "another as hf:NAME/CONFIG@SPLIT#COLUMN."
        )

    with foreign(refused), hub.explained("dataset", name):
        return datasets.load_dataset(name, config, split=split, streaming=True, revision=commit)


def _column(dataset: IterableDataset, requested: str | None, name: str) -> str:
    first = next(_rows(dataset, name), None)
    if first is None:
        raise UserError(f"Data set {name} holds no rows in this split; choose another with @SPLIT.")
    textual = [key for key, value in first.items() if isinstance(value, str)]
    if requested is None and COLUMN not in first and len(textual) == 1:
        return textual[0]
    column = requested or COLUMN
    if column not in first or (first[column] is not None and column not in textual):
        raise UserError(f"Data set {name} has no column of text {column!r}; name one with #COLUMN: {listed(textual)}.")
    return column
