"""Where the text of a dictionary is now: it keeps the name of the file it was built on, not the folder."""

from __future__ import annotations

from pathlib import Path

from itda_core.text.corpus_kinds import FILE, kind_of
from pages.ui.forms import kept, uploads

ADDRESS = "where"  # what the address calls it


def findable(corpus: str) -> bool:
    """Whether the name alone leads to the text."""
    return kind_of(corpus) is not FILE


def where_now(corpus: str, key: str) -> str:
    """Asks where the file `corpus` is; "" where nothing is given. An uploaded file of that name is proposed."""
    return kept.text(
        ADDRESS,
        "Where the file is now",
        _uploaded(corpus),
        key=f"{key}.{corpus}",
        placeholder=f"/path/to/{corpus}",
        help="A dictionary keeps the name of the file it was built on, not the folder it lay in.",
    )


def _uploaded(corpus: str) -> str:
    """Where an uploaded file of this name is kept; "" if there is none."""
    file, mark, column = corpus.partition("#")
    path = uploads.uploads_folder() / Path(file).name
    return f"{path}{mark}{column}" if path.is_file() else ""
