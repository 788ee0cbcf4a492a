"""What became of the dictionaries that a training ended with: names are changed, and given to others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from itda_core.dictionaries.storage.description import read_description
from itda_core.errors import UserError
from itda_core.runs.identities import Whereabouts, whereabouts
from itda_core.runs.library import Library, LibraryEntry
from itda_core.runs.training.outcome import TrainedDictionary

# No two trainings take as long; results of earlier versions, which wrote no identity, are told by these.
_FIGURES = ("seconds", "tokens_per_second", "mean_relative_error", "tokens")


def results_now(results: Sequence[TrainedDictionary]) -> list[Whereabouts]:
    """Each of `results` in the library that it was put into."""
    return [_now(result, Library(Path(result.path).parent).entries()) for result in results]


def held_out_fvu(now: Whereabouts) -> float | None:
    """The FVU of a dictionary on text that it was not built from; None where there was none left to measure on."""
    return now.entry.fvu if now.entry is not None and now.entry.fvu_text == "held-out" else None


def _now(result: TrainedDictionary, entries: Sequence[LibraryEntry]) -> Whereabouts:
    name = Path(result.path).name
    if result.identity is not None:
        return whereabouts(entries, name, result.identity)
    said = {entry.path: _figures(entry) for entry in entries}
    wanted = [getattr(result, figure) for figure in _FIGURES]
    made = [entry for entry in entries if said[entry.path] == wanted and _is_alike(entry, result)]
    found = next((entry for entry in made if entry.name == name), made[0] if made else None)
    if found is not None:
        return whereabouts(entries, name, str(found.identity))
    called = next((entry for entry in entries if entry.name == name), None)
    if called is not None and None in said[called.path]:  # that it is another cannot be told
        return Whereabouts(name, None, called, taken=False)
    return Whereabouts(name, None, None, taken=called is not None)


def _is_alike(entry: LibraryEntry, result: TrainedDictionary) -> bool:
    """Whether it is of the same layer, which dictionaries of one training differ in."""
    return (entry.site, entry.layer, entry.atoms) == (result.site, result.layer, result.atoms)


def _figures(entry: LibraryEntry) -> list[object]:
    """What a dictionary says of its training that no other training's does; None for what it does not say."""
    try:
        stats = read_description(entry.path)["stats"]
    except (UserError, OSError):
        return [None for _ in _FIGURES]
    return [stats.get(figure) for figure in _FIGURES]
