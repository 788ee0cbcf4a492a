"""Corpus files made for tests, and what comes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from itda_core.errors import UserError
from itda_core.text import Corpus


def write(folder: Path, name: str, content: str | bytes) -> str:
    """The path of a new file `name` in `folder`."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def texts(reference: str | Path) -> list[str]:
    """Of all documents."""
    return [document.text for document in Corpus.open(reference)]


def refused(reference: str | Path) -> str:
    """What is said when the corpus is opened or read to its end, which fails."""
    with pytest.raises(UserError) as error:
        list(Corpus.open(reference))
    return str(error.value)
