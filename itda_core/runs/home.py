"""Where a user's dictionaries, jobs and unfinished runs are kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from itda_core.errors import UserError
from itda_core.paths import expanded, storable


def home() -> Path:
    """`$ITDA_HOME`, or the platform's user data folder for `itda-studio`. Not created here.

    Raises UserError where there is neither: without a home folder nothing is kept in whatever folder one happens to be.
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


def library_folder() -> Path:
    """The dictionaries, one folder each."""
    return home() / "library"


def jobs_folder() -> Path:
    """The jobs, one folder each."""
    return home() / "jobs"


def activations_folder() -> Path:
    """Activations that were kept for the next training, one folder per set."""
    return home() / "activations"


def work_folder() -> Path:
    """Checkpoints of runs that have not ended yet, one folder each."""
    return home() / "work"
