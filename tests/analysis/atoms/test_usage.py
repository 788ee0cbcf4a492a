"""Figures of an atom against plain loops over the codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itda_core.analysis.atoms.index import AtomIndex
from itda_core.analysis.atoms.usage import histogram, usage_of
from tests.analysis.atoms.samples import drawn, write_index


def test_figures_equal_a_plain_loop(tmp_path: Path) -> None:
    sample = drawn(seed=3, n_windows=40)
    kinds = ["story", "news", "recipe"]
    index = AtomIndex.open(write_index(tmp_path / "index", sample, kinds=kinds))
    length = len(sample.windows[0])
    for atom in range(sample.n_atoms):
        own = [
            (token, value, step)
            for token, code in enumerate(sample.codes)
            for step, (a, value) in enumerate(code)
            if a == atom
        ]
        found, values = usage_of(index, atom), [value for _, value, _ in own]
        assert (found.tokens, found.of) == (len(own), len(sample.codes))
        assert (found.positive, found.negative) == (sum(v > 0 for v in values), sum(v < 0 for v in values))
        assert found.first == sum(step == 0 for _, _, step in own)
        assert found.usage == pytest.approx(len(own) / len(sample.codes))
        assert found.max == max(values, default=0.0)
        assert found.min == min(values, default=0.0)
        energy = sum(float(norm) ** 2 for norm in sample.norms)
        assert found.energy == pytest.approx(sum(v**2 for v in values) / energy)
        if own:
            assert found.mean == pytest.approx(sum(values) / len(own))
            shares = [abs(value) / float(sample.norms[token]) for token, value, _ in own]
            assert found.mean_share == pytest.approx(sum(shares) / len(own))
            assert found.first_choice == pytest.approx(found.first / len(own))
        for number, name in enumerate(kinds):
            (stretch,) = [one for one in found.kinds if one.name == name]
            assert stretch.uses == sum((token // length) % 3 == number for token, _, _ in own)
            assert stretch.tokens == sum((token // length) % 3 == number for token in range(len(sample.codes)))
        for stretch in found.positions:
            first, last = map(int, stretch.name.split("-"))
            assert stretch.uses == sum(first <= token % length <= last for token, _, _ in own)
        assert sum(found.histogram.counts) == len(own)
        edges = found.histogram.edges
        for i, count in enumerate(found.histogram.counts):
            last = i + 1 == len(found.histogram.counts)
            assert count == sum(edges[i] <= v and (v < edges[i + 1] or (last and v <= edges[-1])) for v in values)


def test_without_kinds_there_are_none(tmp_path: Path) -> None:
    index = AtomIndex.open(write_index(tmp_path / "index", drawn()))
    assert usage_of(index, 0).kinds == ()


def test_a_dead_atom_has_zeros(tmp_path: Path) -> None:
    index = AtomIndex.open(write_index(tmp_path / "index", drawn()))
    found = usage_of(index, 19)
    assert (found.tokens, found.usage, found.mean, found.max, found.first_choice) == (0, 0.0, 0.0, 0.0, 0.0)
    assert found.histogram.counts == ()


@given(st.lists(st.floats(-1e6, 1e6).filter(lambda value: value != 0), min_size=1, max_size=60))
def test_no_bin_mixes_signs_and_none_is_lost(values: list[float]) -> None:
    found = histogram(np.array(values))
    assert 0.0 in found.edges
    assert list(found.edges) == sorted(set(found.edges))
    assert sum(found.counts) == len(values)
    assert sum(n for n, high in zip(found.counts, found.edges[1:], strict=True) if high <= 0) == sum(
        value < 0 for value in values
    )
