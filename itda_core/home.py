"""Where everything of a user is kept: dictionaries, jobs, unfinished runs, and what was found out and remembered."""

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
