"""Why a token has fewer atoms than k, and non-negative pursuit in decompositions and replays."""

from __future__ import annotations

import pytest
import torch
from scipy.optimize import nnls

from itda_core import AtomDictionary, Corpus, TrainConfig, decompose, train
from itda_core.analysis import decompose_activations, read_prompt, replay
from itda_core.analysis.decompose import AtomUse, TokenDecomposition
from itda_core.analysis.shortfall import why_fewer
from itda_core.pursuit.methods import NAMES
from itda_core.text.corpus import Document

PROMPT = "baki lomu rasen torvi"


@pytest.fixture(scope="module")
def dictionary(tiny_model) -> AtomDictionary:
    documents = [Document(f"d{i}", "the deki inger sen zan baki mura " * (i + 1)) for i in range(4)]
    *_, last = train(
        tiny_model, Corpus.from_documents("w", documents), [2], TrainConfig(k=5, threshold=0.1, context=32, centre=True)
    )
    return last.dictionaries[0]


def token(taken: tuple[int, ...], error: float = 0.2) -> TokenDecomposition:
    """Atoms below zero stand for those that left again."""
    atoms = tuple(AtomUse(atom, 1.0, 0.5, f" t{atom}", "", "", "d", 0, 1) for atom in dict.fromkeys(taken) if atom > 0)
    steps = tuple(map(abs, taken))
    return TokenDecomposition(0, "x", 0, 1, False, error, 0.9, len(atoms), 1.0, atoms, taken=steps)


@pytest.mark.parametrize(
    ("taken", "error", "method", "non_negative", "said"),
    [
        ((5, 6, 7, 8), 0.2, "mp", False, ""),
        ((5, 6, 5, 8), 0.2, "mp", False, "L0 is 3, not 4: atom 5 (“t5”) was chosen twice."),
        ((5, 5, 5, 8), 0.2, "mp", False, "L0 is 2, not 4: atom 5 (“t5”) was chosen 3 times."),
        ((5, 6), 1e-9, "omp", False, "L0 is 2, not 4: nothing was left to explain after step 2."),
        ((), 0.0, "mp", False, "L0 is 0, not 4: nothing was left to explain."),
        ((5, 6), 0.2, "mp", True,
         "L0 is 2, not 4: no further atom lowers the error with a positive coefficient after step 2."),
        ((5, -9, 6, 7), 0.2, "omp", True,
         "L0 is 3, not 4: 1 atom left again, the coefficient having fallen to zero."),
        ((5, 5, 6), 0.2, "gp", False,
         "L0 is 2, not 4: 1 step only refined atoms chosen before; the last step brought no new atom."),
    ],
)  # fmt: skip
def test_the_reason_is_said(taken, error, method, non_negative, said) -> None:
    assert why_fewer(token(taken, error), 4, method, non_negative=non_negative) == said


@pytest.mark.parametrize("method", NAMES)
def test_no_coefficient_is_negative_and_the_replay_ends_where_the_decomposition_does(tiny_model, dictionary, method):
    read = read_prompt(tiny_model, dictionary, PROMPT)
    signed = decompose_activations(dictionary, read, 5, method)
    assert any(use.coefficient < 0 for one in signed.tokens for use in one.atoms)
    assert not signed.non_negative
    told = decompose(tiny_model, dictionary, PROMPT, 5, method, non_negative=True)
    assert told.non_negative
    assert told.to_dict()["non_negative"] is True
    assert all(use.coefficient > 0 for one in told.tokens for use in one.atoms)
    x = read.x - dictionary.mean
    for one in told.tokens:
        steps = replay(tiny_model, dictionary, read, one.index, 5, method, non_negative=True).steps
        assert steps[-1].relative_error == pytest.approx(one.relative_error, abs=1e-5)
        assert all(step.coefficient >= 0 for step in steps)
        assert steps[0].atom == int((dictionary.atoms @ x[one.index]).argmax())
        errors = [step.relative_error for step in steps]
        assert errors == sorted(errors, reverse=True)
        assert {use.atom for use in one.atoms} <= set(one.taken)
        assert list(one.taken) == [step.atom for step in steps][: len(one.taken)]


def test_gradient_pursuit_is_replayed_to_its_end(tiny_model, dictionary):
    """A step that only refines what was chosen before takes no slot; the steps behind it are shown all the same."""
    k = len(dictionary)
    read = read_prompt(tiny_model, dictionary, PROMPT)
    told = decompose_activations(dictionary, read, k, "gp")
    refined = [one for one in told.tokens if len(set(one.taken)) < len(one.taken)]
    assert refined, "no token of this prompt refines anything"
    for one in refined:
        steps = replay(tiny_model, dictionary, read, one.index, k, "gp").steps
        assert len(steps) >= len(one.taken)
        assert steps[-1].relative_error == pytest.approx(one.relative_error, abs=1e-4)
        assert [step.atom for step in steps if step.coefficient] != []
        assert [step.atom for step in steps][: len(one.taken)] == list(one.taken)


def test_atoms_are_counted_as_often_as_the_pursuit_took_them(tiny_model, dictionary):
    read = read_prompt(tiny_model, dictionary, PROMPT)
    code = dictionary.encode(read.x, k=8, method="mp")
    for one, indices in zip(decompose_activations(dictionary, read, 8, "mp").tokens, code.indices, strict=True):
        assert list(one.taken) == indices[: len(one.taken)].tolist()
        assert torch.unique(indices).numel() >= one.l0


def test_an_atom_that_left_again_is_among_those_taken(tiny_model, dictionary):
    """Against a pursuit step by step, in NumPy, with the fit by Lawson and Hanson's algorithm in SciPy."""
    k = 14
    read = read_prompt(tiny_model, dictionary, PROMPT)
    told = decompose_activations(dictionary, read, k, "omp", non_negative=True)
    left = [one for one in told.tokens if set(one.taken) - {use.atom for use in one.atoms}]
    assert left, "no atom of this prompt leaves again"
    atoms = dictionary.atoms.double().numpy()
    for one in left:
        x = (read.x[one.index] - dictionary.mean).double().numpy()
        chosen, residual, stayed = [], x, set()
        for _ in one.taken:
            chosen.append(int((atoms @ residual).argmax()))
            support = sorted(stayed | {chosen[-1]})
            weights, _ = nnls(atoms[support].T, x)
            stayed = {atom for atom, weight in zip(support, weights, strict=True) if weight > 0}
            residual = x - atoms[support].T @ weights
        assert list(one.taken) == chosen
        assert {use.atom for use in one.atoms} == stayed
        assert why_fewer(one, k, "omp", non_negative=True).startswith(f"L0 is {one.l0}, not {k}: ")
