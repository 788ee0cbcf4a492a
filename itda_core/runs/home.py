"""Where a user's dictionaries, jobs and unfinished runs are kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """`$ITDA_HOME`, or the platform's user data folder for `itda-studio`. Not created here."""
    chosen = os.environ.get("ITDA_HOME", "").strip()
    if chosen:
        return Path(os.path.expanduser(chosen)).absolute()
    return platformdirs.user_data_path("itda-studio", appauthor=False)


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
