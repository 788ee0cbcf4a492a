"""Where everything of a user is kept: dictionaries, jobs, unfinished runs, and what was found out and remembered."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from itda_core.errors import UserError
from itda_core.files.paths import expanded, storable


def home() -> Path:
    """`$ITDA_HOME`, or the platform's user data folder for `itda-studio`. Not created here.

    Raises UserError where there is neither: the working directory is never used instead.
    """
    chosen = os.environ.get("ITDA_HOME", "").strip()
    if chosen:
        return Path(storable(expanded(chosen).absolute()))
    try:
        folder = platformdirs.user_data_path("itda-studio", appauthor=False)
    except RuntimeError:  # older versions give a path that begins with ~
        folder = Path("~")
    if not folder.is_absolute():
        raise UserError("There is no home folder to keep dictionaries in (HOME is not set); set ITDA_HOME to a folder.")
    return Path(storable(folder))
