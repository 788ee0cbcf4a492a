"""What became of the dictionaries that a training ended with: names are changed, and given to others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from itda_core.dictionaries.storage.description import read_description
from itda_core.errors import UserError
from itda_core.runs.identities import Whereabouts, whereabouts
from itda_core.runs.library import Library, LibraryEntry
from itda_core.runs.training.outcome import TrainedDictionary

_FIGURES = ("seconds", "tokens_per_second", "mean_relative_error", "tokens")  # no two trainings take as long


def results_now(results: Sequence[TrainedDictionary]) -> list[Whereabouts]:
    """Each of `results` in the library that it was put into."""
    return [_now(result, Library(Path(result.path).parent).entries()) for result in results]


def _now(result: TrainedDictionary, entries: Sequence[LibraryEntry]) -> Whereabouts:
    name = Path(result.path).name
    if result.identity is not None:
        return whereabouts(entries, name, result.identity)
    made = [entry for entry in entries if _is_of(entry, result)]
    found = next((entry for entry in made if entry.name == name), made[0] if made else None)
    taken = any(entry.name == name and entry not in made for entry in entries)
    return Whereabouts(name, None if found is None else found.identity, found, taken)


def _is_of(entry: LibraryEntry, result: TrainedDictionary) -> bool:
    """Whether a result of an earlier version, which wrote no identity, is this dictionary: they share all figures."""
    if (entry.model, entry.layer, entry.site, entry.atoms) != (result.model, result.layer, result.site, result.atoms):
        return False
    try:
        stats = read_description(entry.path)["stats"]
    except (UserError, OSError):
        return False
    return all(stats.get(name) == getattr(result, name) for name in _FIGURES)
