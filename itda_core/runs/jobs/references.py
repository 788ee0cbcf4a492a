"""Which dictionaries a job is about: their identities beside the names and folders of its request.

A job may start, or be started again, long after it was asked for: meanwhile a dictionary may have been renamed, and its
name given to another, which is never read in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from itda_core.errors import UserError
from itda_core.files import shown
from itda_core.runs.identities import folder_now, identity_at
from itda_core.runs.jobs.request_fields import JobRequest
from itda_core.runs.library import Library

R = TypeVar("R", bound=JobRequest)


def identities_of(request: JobRequest) -> dict[str, str]:
    """By name or folder, as `request` says it; files of labels have none, and what cannot be read neither."""
    found: dict[str, str] = {}
    for reference in request.references():
        path = _folder(request, reference)
        identity = None if path is None else identity_at(path)
        if identity is not None:
            found[reference] = identity
    return found


def placed(request: R, identities: Mapping[str, str]) -> R:
    """`request` with the folders where its dictionaries are now.

    identities: what `identities_of` gave when the job was asked for. Raises UserError for one that is not there any
    more, also where another has its name.
    """
    moved: dict[str, str] = {}
    for reference in request.references():
        identity = identities.get(reference)
        if identity is None:
            continue
        path = _folder(request, reference)
        if path is not None and identity_at(path) == identity:
            continue
        before = Path(reference) if Path(reference).is_absolute() else _library(request).folder / reference
        now = folder_now(before, identity)
        if now is None:
            raise UserError(_gone(before))
        moved[reference] = str(now)
    return request.with_references(moved) if moved else request


def check_read(results: Any, identities: Mapping[str, str]) -> None:
    """Raises UserError where the work has read another dictionary than those that were asked for: one that took a
    name just as the work began. results: what the work has found; only those that say an identity count.
    """
    wanted = set(identities.values())
    several = results if isinstance(results, tuple) else (results,)
    for result in several if wanted else ():
        read = getattr(result, "identity", None)
        if read is not None and read not in wanted:
            raise UserError(
                f"Another dictionary took the place of {shown(result.dictionary)} while the work began; start it again."
            )


def _gone(path: Path) -> str:
    if identity_at(path) is None:
        return f"{path.name} was deleted, or moved out of {path.parent}; start anew with another dictionary."
    return (
        f"{path.name} was deleted, or moved out of {path.parent}, and another dictionary has its name now; start anew "
        "if you mean that one."
    )


def _folder(request: JobRequest, reference: str) -> Path | None:
    try:
        return _library(request).find(reference)
    except UserError:
        return None


def _library(request: JobRequest) -> Library:
    return Library(getattr(request, "library", None))
