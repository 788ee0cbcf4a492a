"""Codes merged into entries, and entries sorted by atom: compiled for the CPU.

An entry is an atom that a token's code uses: what the pursuit gave it over all its slots, and the first of these.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from itda_core.analysis.atoms.index_format import ATOM_COLUMNS, no_atom
from itda_core.pursuit.kernels.compiled import compiled

SUMS = tuple(ATOM_COLUMNS)  # the rows of a table of sums, in this order
_LARGEST, _SMALLEST = SUMS.index("largest"), SUMS.index("smallest")


class Sorted(NamedTuple):
    """Entries sorted by atom and, within an atom, by token: atom a's are those from offsets[a] to offsets[a + 1]."""

    offsets: np.ndarray  # (n_atoms + 1,) int64
    tokens: np.ndarray  # (n_entries,) int32
    coefficients: np.ndarray  # (n_entries,) float32
    steps: np.ndarray  # (n_entries,) uint16


class Entries:
    """Room for the entries of consecutive tokens, as they come."""

    def __init__(self, n_atoms: int, capacity: int) -> None:
        self.count = 0
        self._n_atoms, self._none = n_atoms, no_atom(n_atoms)
        self._at = np.zeros(n_atoms, dtype=np.int64)
        self._make(capacity)

    def _make(self, capacity: int) -> None:
        self.atoms = np.empty(capacity, dtype=np.int32)
        self.tokens = np.empty(capacity, dtype=np.int32)
        self.coefficients = np.empty(capacity, dtype=np.float32)
        self.steps = np.empty(capacity, dtype=np.uint16)

    def has_room(self, n_slots: int) -> bool:
        """Whether the codes of so many slots fit in behind what is there."""
        return self.count + n_slots <= len(self.atoms)

    def take(self, indices: np.ndarray, coefficients: np.ndarray, first_token: int) -> np.ndarray:
        """Merge the codes of tokens numbered from `first_token`; returns their atoms, strongest |coefficient| first.

        indices, coefficients: (n_tokens, slots) as in pursuit.SparseCode. What is returned is (n_tokens, slots) as
        codes.npy has it; of equal strengths the lower atom comes first.
        """
        assert not indices.size or (indices.min() >= 0 and indices.max() < self._n_atoms), "atoms of this dictionary"
        if not self.has_room(indices.size):
            assert self.count == 0, "there is room, or nothing is held"
            self._make(indices.size)
        codes = np.full(indices.shape, self._none, dtype=self._none.dtype)
        self.count = _merge(
            np.ascontiguousarray(indices, dtype=np.int64), np.ascontiguousarray(coefficients, dtype=np.float32),
            first_token, self._at, self.count, self.atoms, self.tokens, self.coefficients, self.steps, codes,
        )  # fmt: skip
        return codes

    def sorted(self) -> Sorted:
        """All that is held, by atom."""
        n = self.count
        found = Sorted(
            np.zeros(self._n_atoms + 1, dtype=np.int64),
            *(np.empty(n, dtype=dtype) for dtype in (np.int32, np.float32, np.uint16)),
        )
        _sort(self.atoms[:n], self.tokens[:n], self.coefficients[:n], self.steps[:n], *found)
        return found

    def clear(self) -> None:
        """Forget what is held."""
        self.count = 0


def no_sums(n_atoms: int) -> np.ndarray:
    """The sums over no entry: (len(SUMS), n_atoms) float64."""
    sums = np.zeros((len(SUMS), n_atoms))
    sums[_LARGEST], sums[_SMALLEST] = -np.inf, np.inf
    return sums


def add_sums(sums: np.ndarray, entries: Sorted, norms: np.ndarray, first_token: int) -> None:
    """Add entries to `sums`, each atom's one after the other, so that it does not matter how a stream is cut.

    norms: (n_tokens,) float32, of tokens numbered from `first_token`.
    """
    _add_sums(sums, *entries, norms, first_token)


def sum_columns(sums: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of atoms.parquet."""
    used = sums[SUMS.index("positive")] + sums[SUMS.index("negative")] > 0
    columns = dict(zip(SUMS, sums, strict=True))
    for name in ("largest", "smallest"):
        columns[name] = np.where(used, columns[name], 0)
    return {name: columns[name].astype(kind) for name, kind in ATOM_COLUMNS.items()}


def deal(counts: np.ndarray, part: Sorted, places: np.ndarray, into: Sorted) -> None:
    """Put the entries of some consecutive atoms, of which a segment holds `part`, behind those of earlier segments.

    counts: (n_atoms,) int64, of part; places: (n_atoms,) int64, where in `into` the next entry of each goes; moved on.
    """
    _deal(counts, *part[1:], places, *into[1:])


@compiled()
def _merge(indices, coefficients, first_token, at, end, atoms, tokens, values, steps, codes):
    """Appends the merged entries from `end` on; returns where they end. codes: filled up to the last entry's slot."""
    n_tokens, slots = indices.shape
    strengths = np.empty(slots, dtype=np.float32)
    for token in range(n_tokens):
        start = end
        for slot in range(slots):
            value = coefficients[token, slot]
            if value == 0:
                continue
            atom = indices[token, slot]
            place = at[atom]  # where it stands if this token used it before; anything else is recognised as such
            if start <= place < end and atoms[place] == atom:
                values[place] += value
                continue
            at[atom] = end
            atoms[end], tokens[end], values[end], steps[end] = atom, first_token + token, value, slot
            end += 1
        kept = start
        for place in range(start, end):
            if values[place] == 0:
                continue
            atom, strength = atoms[place], abs(values[place])
            atoms[kept], tokens[kept], values[kept], steps[kept] = atom, tokens[place], values[place], steps[place]
            rank = kept - start
            kept += 1
            while rank > 0 and (
                strengths[rank - 1] < strength or (strengths[rank - 1] == strength and codes[token, rank - 1] > atom)
            ):
                strengths[rank], codes[token, rank] = strengths[rank - 1], codes[token, rank - 1]
                rank -= 1
            strengths[rank], codes[token, rank] = strength, atom
        end = kept
    return end


@compiled()
def _sort(atoms, tokens, values, steps, offsets, sorted_tokens, sorted_values, sorted_steps):
    """Counting sort by atom; those of one atom stay in their order."""
    n_atoms = len(offsets) - 1
    for entry in range(len(atoms)):
        offsets[atoms[entry] + 1] += 1
    for atom in range(n_atoms):
        offsets[atom + 1] += offsets[atom]
    places = offsets[:-1].copy()
    for entry in range(len(atoms)):
        place = places[atoms[entry]]
        places[atoms[entry]] += 1
        sorted_tokens[place], sorted_values[place], sorted_steps[place] = tokens[entry], values[entry], steps[entry]


@compiled()
def _add_sums(sums, offsets, tokens, values, steps, norms, first_token):
    for atom in range(len(offsets) - 1):
        for entry in range(offsets[atom], offsets[atom + 1]):
            value = np.float64(values[entry])
            strength = abs(value)
            if value > 0:
                sums[0, atom] += 1
            else:
                sums[1, atom] += 1
            if steps[entry] == 0:
                sums[2, atom] += 1
            sums[3, atom] += value
            sums[4, atom] += strength
            sums[5, atom] += strength / np.float64(norms[tokens[entry] - first_token])
            sums[6, atom] += value * value
            sums[7, atom] = max(sums[7, atom], value)
            sums[8, atom] = min(sums[8, atom], value)


@compiled()
def _deal(counts, tokens, values, steps, places, into_tokens, into_values, into_steps):
    source = 0
    for atom in range(len(counts)):
        place = places[atom]
        for _ in range(counts[atom]):
            into_tokens[place], into_values[place], into_steps[place] = tokens[source], values[source], steps[source]
            place += 1
            source += 1
        places[atom] = place
