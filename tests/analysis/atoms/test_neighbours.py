"""Nearest and most opposite atoms, against a loop over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from itda_core import UserError
from itda_core.analysis.atoms.neighbours import neighbours


@pytest.fixture(scope="module")
def atoms() -> torch.Tensor:
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(60, 8))
    rows[7], rows[9] = -rows[3], rows[3] + 0.01 * rows[4]
    return torch.tensor(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.mark.parametrize("atom", [0, 3, 7, 59])
def test_they_are_those_of_a_plain_loop(atoms: torch.Tensor, atom: int) -> None:
    x = atoms.numpy()
    pairs = [(sum(float(a) * float(b) for a, b in zip(x[atom], x[j], strict=True)), j) for j in range(60) if j != atom]
    found = neighbours(atoms, atom, 5)
    for given, wanted in (
        (found.neighbours, sorted(pairs, key=lambda pair: -pair[0])[:5]),
        (found.opposite, sorted(pairs, key=lambda pair: pair[0])[:5]),
    ):
        assert [one.atom for one in given] == [j for _, j in wanted]
        assert [one.cosine for one in given] == pytest.approx([cosine for cosine, _ in wanted])


def test_a_twin_is_nearest_and_an_opposite_is_found(atoms: torch.Tensor) -> None:
    found = neighbours(atoms, 3)
    assert (found.neighbours[0].atom, found.opposite[0].atom) == (9, 7)
    assert found.opposite[0].cosine == pytest.approx(-1)


def test_no_atom_is_in_both_lists_and_none_is_its_own_neighbour() -> None:
    atoms = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    found = neighbours(atoms, 0)
    assert [one.atom for one in found.neighbours] == [2]  # atom 1 stands at a right angle
    assert found.opposite == ()
    assert neighbours(atoms[:1], 0).neighbours == ()


def test_of_equal_ones_the_first_comes_first() -> None:
    atoms = torch.tensor([[1.0, 0.0]] * 5)
    assert [one.atom for one in neighbours(atoms, 2, 3).neighbours] == [0, 1, 3]


def test_an_atom_that_is_not_there_is_refused(atoms: torch.Tensor) -> None:
    for atom in (-1, 60):
        with pytest.raises(UserError, match=f"no atom {atom}; this dictionary has atoms 0 to 59"):
            neighbours(atoms, atom)
