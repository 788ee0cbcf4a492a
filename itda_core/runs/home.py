"""The folders of a user's dictionaries, jobs and unfinished runs."""

from __future__ import annotations

from pathlib import Path

from itda_core.files.home import home

__all__ = ["activations_folder", "checkpoints_folder", "home", "indices_folder", "jobs_folder", "library_folder"]


def library_folder() -> Path:
    """The dictionaries, one folder each."""
    return home() / "library"


def indices_folder() -> Path:
    """The atom indices, one folder per dictionary, called by its identity."""
    return home() / "indices"


def jobs_folder() -> Path:
    """The jobs, one folder each."""
    return home() / "jobs"


def activations_folder() -> Path:
    """Activations that were kept for the next training, one folder per set."""
    return home() / "activations"


def checkpoints_folder() -> Path:
    """Checkpoints of runs that have not ended yet, one folder each."""
    return home() / "work"
