"""The bench's dictionaries and activations are what they say they are."""

from __future__ import annotations

import pytest
import torch

from itda_core.bench.pursuit.cases import Case
from itda_core.bench.synthetic import COSINE, Atoms, coherent_activations, coherent_atoms, inputs_of
from itda_core.pursuit import chunks


def test_atoms_are_unit_norm_and_as_coherent_as_promised() -> None:
    atoms = coherent_atoms(500, 256, seed=1)
    torch.testing.assert_close(atoms.norm(dim=1), torch.ones(500))
    gram = (atoms @ atoms.T)[~torch.eye(500, dtype=torch.bool)]
    assert abs(float(gram.mean()) - COSINE) < 0.03
    assert float(gram.max()) < 0.8  # no two alike


def test_activations_lie_around_the_atoms_mean_direction() -> None:
    atoms, x = coherent_atoms(500, 256, seed=1), coherent_activations(500, 256, seed=7)
    cosines = torch.nn.functional.normalize(x, dim=1) @ atoms.T
    assert abs(float(cosines.mean()) - COSINE) < 0.03
    assert float(x.norm(dim=1).std()) > 0.1


def test_inputs_differ_and_return_with_their_seed() -> None:
    case = Case("mp", 8, 16, 2, 10)
    inputs = inputs_of(case, 3, "cpu")
    assert len({tuple(x[0].tolist()) for x in inputs}) == 3
    assert all(torch.equal(a, b) for a, b in zip(inputs, inputs_of(case, 3, "cpu"), strict=True))


def test_the_gram_matrix_is_the_one_a_case_goes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    atoms = coherent_atoms(20, 8, seed=1)
    exact = atoms @ atoms.T
    half = Atoms.of(atoms, Case("mp", 20, 8, 2, 4, "float16"))
    torch.testing.assert_close(half.gram, exact.half())
    torch.testing.assert_close(Atoms.of(atoms, Case("mp", 20, 8, 2, 4)).gram, exact)
    monkeypatch.setattr(chunks, "SCREENED_FROM", 10)
    assert Atoms.of(atoms, Case("mp", 20, 8, 2, 4)).gram.dtype == torch.int16
    assert Atoms.of(atoms, Case("omp", 20, 8, 2, 4)).gram.dtype == torch.float32
    monkeypatch.setattr(chunks, "free_memory", lambda _: 100)
    with pytest.raises(MemoryError, match="20 atoms"):
        Atoms.of(atoms, Case("mp", 20, 8, 2, 4))
