"""Which of an atom's entries are looked at: at most PER_BIN of each bin, drawn by a hash.

A bin is a quarter of an atom's entries by |coefficient| and a sign; entries at a label's own place are none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from itda_core.analysis.atoms.index import AtomIndex
    from itda_core.dictionaries import AtomLabel

QUANTILES = 4  # of |coefficient|, from the weakest to the strongest
SIGNS = 2  # positive, negative
BINS = QUANTILES * SIGNS  # number: 2 * quantile + (1 where negative)
PER_BIN = 32
_ENTRIES_AT_ONCE = 2_000_000
_OF_HASH = np.uint64(36)  # bits that draw; the others are left to the bins of 2^28 / BINS atoms


@dataclass(frozen=True)
class Drawn:
    """Entries of some atoms; the arrays are (n_drawn,)."""

    atom: np.ndarray  # int32
    token: np.ndarray  # int32
    bin: np.ndarray  # uint8
    entries: np.ndarray  # (n_atoms, BINS) int64, how many entries each bin has; 0 for atoms of other stretches
    share: float  # of all entries that have been gone through by now


def own_places(index: AtomIndex, labels: Sequence[AtomLabel]) -> np.ndarray:
    """atom * n_tokens + token (int64, ascending) of the tokens that stand at a label's own place: the same document,
    read to the same character.
    """
    with index.reading():
        rows = index.connection().execute("SELECT document, first_token, n_tokens FROM windows").fetchall()
    number: dict[str, int] = {}
    document = np.full(index.description.tokens, -1, dtype=np.int64)
    for name, first, n in rows:
        document[first : first + n] = number.setdefault(name, len(number))
    places = (document << 32) + index.all_tokens.char_end
    order = np.argsort(places, kind="stable")
    here = [label for label in labels if label.document in number]
    wanted = np.array([(number[label.document] << 32) + label.char_end for label in here], dtype=np.int64)
    atoms = np.array([label.atom for label in here], dtype=np.int64)
    low, high = (np.searchsorted(places, wanted, side, sorter=order) for side in ("left", "right"))
    times = high - low  # pieces of one character have read to the same one
    at = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times) + np.repeat(low, times)
    return np.unique(np.repeat(atoms, times) * index.description.tokens + order[at])


def drawn(index: AtomIndex, own: np.ndarray) -> Iterator[Drawn]:
    """The entries that are looked at, atoms in their order, a stretch of them at a time.

    own: see `own_places`. Which ones are drawn depends on atom and token alone. Raises UserError for a damaged index.
    """
    about, connection = index.description, index.connection()
    uses = index.sums["positive"] + index.sums["negative"]
    behind, done = np.cumsum(uses), 0
    first = 0
    while first < about.n_atoms:
        last = max(first, int(np.searchsorted(behind, done + _ENTRIES_AT_ONCE, "right")) - 1)
        query = "SELECT atom, token, coefficient FROM entries WHERE atom BETWEEN ? AND ?"
        with index.reading():
            found = connection.execute(query, [first, last]).fetchnumpy()
        atom, token, coefficient = (np.asarray(found[name]) for name in ("atom", "token", "coefficient"))
        keep = ~np.isin(atom.astype(np.int64) * about.tokens + token, own)
        done = int(behind[last])
        yield _of_stretch(atom[keep], token[keep], coefficient[keep], about.n_atoms, done / max(1, about.entries))
        first = last + 1


def _of_stretch(atom: np.ndarray, token: np.ndarray, coefficient: np.ndarray, n_atoms: int, share: float) -> Drawn:
    # One number to sort by instead of several: bits of a positive float32 are in the order of what they stand for.
    order = np.argsort((atom.astype(np.int64) << 32) + token, kind="stable")
    strength = np.abs(coefficient[order].astype(np.float32)).view(np.uint32)
    order = order[np.argsort((atom[order].astype(np.uint64) << np.uint64(32)) + strength, kind="stable")]
    atom, token, negative = atom[order], token[order], coefficient[order] < 0
    count = np.bincount(atom, minlength=n_atoms)
    rank = np.arange(len(atom)) - (np.cumsum(count) - count)[atom]
    quantile = rank * QUANTILES // np.maximum(count, 1)[atom]
    group = atom.astype(np.int64) * BINS + quantile * SIGNS + negative
    entries = np.bincount(group, minlength=n_atoms * BINS)
    order = np.argsort((group.astype(np.uint64) << _OF_HASH) + (_hash(atom, token) >> (np.uint64(64) - _OF_HASH)))
    place = np.arange(len(order)) - (np.cumsum(entries) - entries)[group[order]]
    chosen = order[place < PER_BIN]
    bins = (group[chosen] % BINS).astype(np.uint8)
    return Drawn(atom[chosen], token[chosen], bins, entries.reshape(n_atoms, BINS), share)


def _hash(atom: np.ndarray, token: np.ndarray) -> np.ndarray:
    """(n,) uint64: Steele, Lea and Flood's SplitMix64 of both numbers."""
    x = (atom.astype(np.uint64) << np.uint64(32)) + token.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
