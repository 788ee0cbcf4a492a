"""Searches for atoms, cached; what engine.py says of caches holds here as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from itda_core.errors import UserError
from pages.ui.frame import atoms_engine, engine
from pages.ui.frame.atoms_engine import IndexKey
from pages.ui.frame.engine import DictionaryKey
from pages.ui.frame.session_cache import cached

if TYPE_CHECKING:
    from itda_core.analysis.atoms.firing_search import FoldedWindows
    from itda_core.analysis.atoms.folded_labels import FoldedLabels
    from itda_core.analysis.atoms.prompt_search import TextCodes
    from itda_core.analysis.atoms.search import Found, Searched


class Sought(NamedTuple):
    """A dictionary to be searched, and what it is called."""

    name: str
    key: DictionaryKey


@cached(max_entries=64)
def _folded(key: DictionaryKey) -> FoldedLabels:
    from itda_core.analysis.atoms.folded_labels import folded_labels as fold
    from itda_core.dictionaries.provenance import to_labels

    return fold(to_labels(engine.dictionary(key).provenance))


@cached(max_entries=8)
def _folded_windows(index_of: IndexKey, n_atoms: int) -> FoldedWindows:
    from itda_core.analysis.atoms.firing_search import folded_windows

    return folded_windows(atoms_engine.index(index_of, n_atoms))


@cached(max_entries=64, ttl=600)
def search(sought: tuple[Sought, ...], query: str, by: str, n: int) -> tuple[Found, ...]:
    """The first `n` atoms of all of `sought`, by a way of analysis.atoms.search.BY.

    Raises UserError where there is nothing to search for, for a text that is too long, and where no dictionary has the
    index that a search by firing needs.
    """
    from itda_core.analysis.atoms.firing_search import firing_on
    from itda_core.analysis.atoms.prompt_search import search_prompt
    from itda_core.analysis.atoms.search import found_by, search_labels

    indices = [_index_or_none(one.key) for one in sought]
    searched = [_searched(one, index_of) for one, index_of in zip(sought, indices, strict=True)]
    if by in ("token", "context"):
        return tuple(search_labels(searched, query, by, n))
    if by == "prompt":
        return tuple(search_prompt(searched, [_codes(one.key, query) for one in sought], n))
    if all(index_of is None for index_of in indices):
        raise UserError(f"A search by firing needs an index of {sought[0].name}; make one, or search by token.")
    found: list[Found] = []
    for one, of, index_of in zip(sought, searched, indices, strict=True):
        if index_of is not None:
            n_atoms = len(engine.dictionary(one.key))
            fires = firing_on(atoms_engine.index(index_of, n_atoms), _folded_windows(index_of, n_atoms), query, n)
            found += found_by(of, {atom.atom: (atom.score, atom.why) for atom in fires})
    return tuple(sorted(found, key=lambda one: -one.score)[:n])


def _index_or_none(key: DictionaryKey) -> IndexKey | None:
    """The dictionary's index where it can be read: one that is damaged keeps nobody from searching labels."""
    try:
        found = atoms_engine.index_key(engine.dictionary(key).identity)
        if found is not None:
            atoms_engine.index(found, len(engine.dictionary(key)))
    except UserError:
        return None
    return found


def _searched(sought: Sought, index_of: IndexKey | None) -> Searched:
    from itda_core.runs.atoms.reading import searched_by

    opened = None if index_of is None else atoms_engine.index(index_of, len(engine.dictionary(sought.key)))
    return searched_by(sought.name, _folded(sought.key), opened)


def _codes(key: DictionaryKey, prompt: str) -> TextCodes:
    """The text by the dictionary's own k and pursuit."""
    from itda_core.analysis.atoms.prompt_search import codes_of

    return codes_of(engine.dictionary(key), engine.read_prompt(key, prompt))
