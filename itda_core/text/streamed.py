"""Documents of a data set on the Hugging Face Hub, streamed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from itda_core import hub
from itda_core.errors import UserError
from itda_core.text.corpus import Document
from itda_core.text.sources import COLUMN, Source

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
    if match is None or not 1 <= len(parts) <= 3 or not all(parts):
        raise UserError(
            f"Corpus {reference!r} cannot be read as hf:NAME[/CONFIG][@SPLIT][#COLUMN]; an example: "
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

    Raises UserError when the Hub cannot be reached or has no such data set, configuration, split or column.
    """
    wanted = parse(reference)
    name, config, commit = _found(wanted)
    dataset = _load(name, config, wanted.split, commit)
    with hub.explained("dataset", name):
        column = _column(dataset, wanted.column, name)
    id = f"hf:{name}{f'/{config}' if config else ''}@{wanted.split}#{column}"

    def read() -> Iterator[Document]:
        number = 0
        try:
            with hub.explained("dataset", name):
                for row in dataset:
                    if row[column] is not None:
                        yield Document(f"{id}:{number:06d}", row[column])
                    number += 1
        except OSError as error:
            raise UserError(f"The stream of {id} broke after row {number} ({error}); check the network.") from error

    return Source(id, read, lambda: hashlib.sha256(f"{id} {commit}".encode()).hexdigest())


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

    try:
        with hub.explained("dataset", name):
            return datasets.load_dataset(name, config, split=split, streaming=True, revision=commit)
    except UserError:
        raise
    except (ValueError, RuntimeError, OSError) as error:
        # What is wrong here (an unknown configuration or split, a data set that is a script) the library says best.
        said = " ".join(str(error).split())
        raise UserError(
            f"Data set {name} (configuration {config or 'default'}, split {split}) cannot be opened: {said} "
            "Name another as hf:NAME/CONFIG@SPLIT#COLUMN."
        ) from error


def _column(dataset: IterableDataset, asked: str | None, name: str) -> str:
    first = next(iter(dataset), None)
    if first is None:
        raise UserError(f"Data set {name} holds no rows in this split; choose another with @SPLIT.")
    textual = [key for key, value in first.items() if isinstance(value, str)]
    if asked is None and COLUMN not in first and len(textual) == 1:
        return textual[0]
    column = asked or COLUMN
    if column not in first or (first[column] is not None and column not in textual):
        names = ", ".join(textual) or "none"
        raise UserError(f"Data set {name} has no column of text {column!r}; name one with #COLUMN: {names}.")
    return column
