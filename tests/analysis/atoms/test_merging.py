"""Codes merged into entries and sorted, against plain loops."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from itda_core.analysis.atoms.index_format import ATOM_COLUMNS, no_atom
from itda_core.analysis.atoms.writing import entries_file
from itda_core.analysis.atoms.writing.compile_ahead import compile_all
from itda_core.analysis.atoms.writing.merging import (
    Entries,
    _add_sums,
    _deal,
    _merge,
    _sort,
    add_sums,
    no_sums,
    sum_columns,
)
from itda_core.pursuit import SparseCode

N_ATOMS = 7
# Few values, so that coefficients cancel out, come again and are of equal strength.
VALUES = st.sampled_from([0.0, 0.5, -0.5, 1.0, -1.0, 0.1, 2.5e-38, -3.0])


@st.composite
def codes_of_some_tokens(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n_tokens, slots = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    size = n_tokens * slots
    indices = draw(st.lists(st.integers(0, N_ATOMS - 1), min_size=size, max_size=size))
    values = draw(st.lists(VALUES, min_size=size, max_size=size))
    shape = (n_tokens, slots)
    return np.array(indices, np.int64).reshape(shape), np.array(values, np.float32).reshape(shape)


def by_hand(indices: np.ndarray, coefficients: np.ndarray, first: int = 0) -> list[tuple[int, int, np.float32, int]]:
    """(token, atom, sum, first step) of each entry, in the order of tokens and first steps."""
    found = []
    for token, (atoms, values) in enumerate(zip(indices.tolist(), coefficients, strict=True), start=first):
        sums: dict[int, np.float32] = {}
        steps: dict[int, int] = {}
        for step, (atom, value) in enumerate(zip(atoms, values, strict=True)):
            if value != 0:
                sums[atom] = np.float32(sums.get(atom, np.float32(0)) + value)
                steps.setdefault(atom, step)
        found += [(token, atom, total, steps[atom]) for atom, total in sums.items() if total != 0]
    return found


def held(entries: Entries) -> list[tuple[int, int, np.float32, int]]:
    n = entries.count
    columns = (entries.tokens, entries.atoms, entries.coefficients, entries.steps)
    return list(zip(*(column[:n] for column in columns), strict=True))


@given(st.lists(codes_of_some_tokens(), max_size=4))
def test_slots_of_one_atom_become_one_entry(several: list[tuple[np.ndarray, np.ndarray]]) -> None:
    entries, wanted, n_tokens = Entries(N_ATOMS, 1000), [], 0
    for indices, coefficients in several:
        codes = entries.take(indices, coefficients, n_tokens)
        wanted += by_hand(indices, coefficients, n_tokens)
        n_tokens += len(indices)
        merged = SparseCode(torch.from_numpy(indices), torch.from_numpy(coefficients)).merged()
        none = int(no_atom(N_ATOMS))
        expected = torch.where(merged.coefficients == 0, none, merged.indices).numpy()
        assert codes.tolist() == expected.tolist()
    assert held(entries) == wanted


@given(codes_of_some_tokens(), codes_of_some_tokens())
def test_what_was_held_before_does_not_matter(
    before: tuple[np.ndarray, np.ndarray], code: tuple[np.ndarray, np.ndarray]
) -> None:
    entries = Entries(N_ATOMS, 40)
    entries.take(*before, 0)
    entries.clear()
    entries.take(*code, 3)
    assert held(entries) == by_hand(*code, 3)


def test_a_batch_larger_than_the_room_makes_room() -> None:
    draw = np.random.default_rng(0)
    code = draw.integers(0, N_ATOMS, (20, 5)), draw.standard_normal((20, 5)).astype(np.float32)
    entries = Entries(N_ATOMS, 10)
    assert not entries.has_room(100)
    entries.take(*code, 0)
    assert held(entries) == by_hand(*code)


def test_an_atom_that_does_not_exist_is_never_written_to() -> None:
    for atom in (-1, N_ATOMS):
        with pytest.raises(AssertionError, match="atoms of this dictionary"):
            Entries(N_ATOMS, 10).take(np.array([[atom]]), np.ones((1, 1), np.float32), 0)


@given(codes_of_some_tokens(), codes_of_some_tokens())
def test_entries_are_sorted_by_atom_and_token(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> None:
    entries = Entries(N_ATOMS, 100)
    entries.take(*first, 5)
    entries.take(*second, 5 + len(first[0]))
    found = entries.sorted()
    wanted = sorted(by_hand(*first, 5) + by_hand(*second, 5 + len(first[0])), key=lambda entry: (entry[1], entry[0]))
    atoms = np.repeat(np.arange(N_ATOMS), np.diff(found.offsets))
    assert list(zip(found.tokens, atoms, found.coefficients, found.steps, strict=True)) == wanted


@given(codes_of_some_tokens(), st.integers(0, 6))
def test_sums_are_those_of_a_loop_however_tokens_are_cut(code: tuple[np.ndarray, np.ndarray], cut: int) -> None:
    indices, coefficients = code
    norms = np.linspace(0.7, 3.1, len(indices)).astype(np.float32)
    sums = no_sums(N_ATOMS)
    for part in (slice(0, cut), slice(cut, None)):
        entries = Entries(N_ATOMS, 100)
        start = min(part.start, len(indices))
        entries.take(indices[part], coefficients[part], start)
        add_sums(sums, entries.sorted(), norms[part], start)
    columns = sum_columns(sums)
    for atom in range(N_ATOMS):
        own = [(token, float(value), step) for token, of, value, step in by_hand(*code) if of == atom]
        values = [value for _, value, _ in own]
        assert columns["positive"][atom] == sum(value > 0 for value in values)
        assert columns["negative"][atom] == sum(value < 0 for value in values)
        assert columns["first"][atom] == sum(step == 0 for *_, step in own)
        assert columns["sum"][atom] == sum(values)
        assert columns["sum_absolute"][atom] == sum(map(abs, values))
        assert columns["sum_share"][atom] == sum(abs(value) / float(norms[token]) for token, value, _ in own)
        assert columns["energy"][atom] == sum(value * value for value in values)
        assert columns["largest"][atom] == max(values, default=0)
        assert columns["smallest"][atom] == min(values, default=0)
    assert {name: column.dtype for name, column in columns.items()} == {
        name: np.dtype(kind) for name, kind in ATOM_COLUMNS.items()
    }


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 6))
def test_row_groups_end_with_an_atom_unless_it_fills_several(counts: list[int], limit: int) -> None:
    sizes = list(entries_file.group_sizes(np.array(counts, dtype=np.int64), limit))
    assert sum(sizes) == sum(counts)
    assert all(0 < size <= limit for size in sizes)
    ends, atoms = np.cumsum(sizes).tolist(), np.repeat(np.arange(len(counts)), counts)
    for end in ends[:-1]:
        within = atoms[end - 1] == atoms[end]
        assert not within or counts[atoms[end]] > limit
    assert all(one + other > limit for one, other in pairwise(sizes))  # no more groups than it takes


def test_nothing_is_left_to_compile() -> None:
    compile_all()
    kernels = (_merge, _sort, _add_sums, _deal)
    before = [len(kernel.signatures) for kernel in kernels]
    assert all(before)
    entries = Entries(N_ATOMS, 100)
    entries.take(np.array([[1, 2]]), np.ones((1, 2), np.float32), 4)
    add_sums(no_sums(N_ATOMS), entries.sorted(), np.ones(1, np.float32), 4)
    large = Entries(70_000, 10)  # whose codes are of another type
    large.take(np.array([[1, 2]]), np.ones((1, 2), np.float32), 4)
    assert [len(kernel.signatures) for kernel in kernels] == before
