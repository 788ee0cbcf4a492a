"""Examples of an atom against plain sorting of its codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from itda_core.analysis.atoms.examples import examples_of, folded
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.dictionaries import AtomLabel
from tests.analysis.atoms.samples import Drawn, drawn, write_index


@pytest.fixture
def indexed(tmp_path: Path) -> Callable[[Drawn], AtomIndex]:
    return lambda sample: AtomIndex.open(write_index(tmp_path / "index", sample))


def varied(n_windows: int = 60) -> Drawn:
    """Every word is another one, so that no two examples read alike."""
    words = [f" w{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}" for i in range(5000)]
    return drawn(seed=5, n_windows=n_windows, words=words)


def test_the_strongest_come_first_and_each_shows_its_window(indexed: Callable[[Drawn], AtomIndex]) -> None:
    sample = varied()
    index, length = indexed(sample), len(sample.windows[0])
    for atom in range(sample.n_atoms):
        own = [(token, value) for token, code in enumerate(sample.codes) for a, value in code if a == atom]
        found = examples_of(index, atom)
        for sign, listed in ((1, found.positive), (-1, found.negative)):
            ranked = sorted(
                ((t, v) for t, v in own if v * sign > 0), key=lambda one: (-abs(np.float32(one[1])), one[0])
            )
            assert [(one.token, one.coefficient) for one in listed] == ranked[:20]
            for example in listed:
                window = example.token // length
                values = dict(own)
                assert example.tokens == tuple(sample.windows[window])
                assert example.coefficients == tuple(values.get(window * length + i, 0.0) for i in range(length))
                assert example.at == example.position == example.token % length
                assert example.relative_coefficient == pytest.approx(
                    example.coefficient / float(sample.norms[example.token])
                )
                assert example.text[example.char_start : example.char_end] == example.tokens[example.at]


def test_quantiles_are_of_equal_size_and_their_examples_lie_in_them(indexed: Callable[[Drawn], AtomIndex]) -> None:
    sample = varied()
    index = indexed(sample)
    values = sorted(value for code in sample.codes for a, value in code if a == 0)
    found = examples_of(index, 0).quantiles
    assert [one.entries for one in found] == [len(part) for part in np.array_split(values, 5)]
    assert [(one.low, one.high) for one in found] == [(part[0], part[-1]) for part in np.array_split(values, 5)]
    for one in found:
        assert len(one.examples) == 4
        assert all(one.low <= example.coefficient <= one.high for example in one.examples)
    assert found == examples_of(index, 0).quantiles


def test_what_reads_alike_is_folded_into_the_strongest(indexed: Callable[[Drawn], AtomIndex]) -> None:
    same = [" Ann", " has", " 12", " cats"]
    codes = [[(0, 0.1 * i + 0.1)] for i in range(16)]
    windows = [same, [" ann", " has", " 907", "  cats"], same, [" other", " words", " stand", " here"]]
    index = indexed(Drawn(windows, codes, np.ones(16, np.float32), 2))
    found = examples_of(index, 0)
    assert [one.token for one in found.positive] == [15, 14, 13, 12, 11, 10, 9, 8]
    assert [one.alike for one in found.positive] == [0, 0, 0, 0, 2, 2, 2, 2]


def test_the_place_of_a_label_is_left_out(indexed: Callable[[Drawn], AtomIndex]) -> None:
    sample = varied()
    index = indexed(sample)
    strongest = examples_of(index, 0).positive[0]

    def label(document: str) -> AtomLabel:
        place = (strongest.position, 0, strongest.tokens[strongest.at], strongest.char_start, strongest.char_end)
        return AtomLabel(0, 0, document, 0, *place, "", "", 0.5)

    without = examples_of(index, 0, [label(strongest.document)])
    assert without.own_places == 1
    assert strongest.token not in [one.token for one in without.positive]
    elsewhere = examples_of(index, 0, [label("another document")])
    assert elsewhere.own_places == 0
    assert elsewhere.positive[0] == strongest


def test_a_dead_atom_has_no_examples(indexed: Callable[[Drawn], AtomIndex]) -> None:
    found = examples_of(indexed(drawn()), 19)
    assert (found.positive, found.negative, found.quantiles) == ((), (), ())


def test_folding_takes_case_accents_digits_and_spaces() -> None:
    assert folded("Élan  42\n") == folded("elan 7 ") == "elan 0 "
