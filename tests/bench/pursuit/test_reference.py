"""What ours is compared with gives the code it should."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from itda_core.bench.pursuit.cases import SCIKIT_LEARN, TEXTBOOK, Case
from itda_core.bench.pursuit.encoding_memory import encode_case
from itda_core.bench.pursuit.reference import Reference, reference_for
from itda_core.bench.synthetic import Atoms, atoms_of, inputs_of


@pytest.mark.parametrize(("method", "name", "tokens"), [("mp", TEXTBOOK, 6), ("omp", SCIKIT_LEARN, 4)])
def test_a_reference_gives_the_code_of_ours(method: str, name: str, tokens: int) -> None:
    case = Case(method, 40, 16, 5, 6)
    reference = reference_for(case, 4)
    assert isinstance(reference, Reference)
    assert (reference.name, reference.tokens) == (name, tokens)
    atoms, x = atoms_of(case, "cpu"), inputs_of(case, 1, "cpu")[0][:tokens]
    dictionary = Atoms(atoms, atoms @ atoms.T)
    before = dictionary.gram.clone()
    ours = encode_case(case, x, dictionary).merged()
    dense = torch.zeros(tokens, 40).scatter_add_(1, ours.indices, ours.coefficients)
    torch.testing.assert_close(reference.run(x, dictionary, case.k), dense, atol=1e-4, rtol=0)
    assert torch.equal(dictionary.gram, before)
    assert torch.get_float32_matmul_precision() == "highest"


def test_gradient_pursuit_has_none() -> None:
    assert reference_for(Case("gp", 40, 16, 5, 6), 4) is None


def test_without_scikit_learn_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "scikit-learn is not installed" in str(reference_for(Case("omp", 40, 16, 5, 6), 4))
