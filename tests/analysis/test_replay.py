"""A replay against encodings of their own and the model's own predictions."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from itda_core import AtomDictionary, Corpus, TrainConfig, UserError, train
from itda_core.analysis import decompose_activations, read_prompt, replay
from itda_core.analysis.decompose import AtomUse, TokenDecomposition
from itda_core.analysis.replay import Replay, ReplayStep, remark
from itda_core.models.tokenizer.token_text import token_text
from itda_core.text.corpus import Document

PROMPT = "baki lomu rasen torvi"


@pytest.fixture(scope="module")
def dictionary(tiny_model) -> AtomDictionary:
    documents = [Document(f"d{i}", "the deki inger sen zan " * (i + 1)) for i in range(4)]
    *_, last = train(
        tiny_model, Corpus.from_documents("w", documents), [2], TrainConfig(k=5, threshold=0.1, context=32)
    )
    return last.dictionaries[0]


def own_predictions(model, prompt: str, position: int) -> torch.Tensor:
    ids = model.tokenizer(prompt, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return model.module(input_ids=ids).logits[0, position].softmax(-1)


@pytest.mark.parametrize("method", ["mp", "omp", "gp"])
def test_each_step_is_the_decomposition_with_that_many_atoms(tiny_model, dictionary, method):
    read = read_prompt(tiny_model, dictionary, PROMPT)
    told = replay(tiny_model, dictionary, read, 2, 5, method)
    assert [step.step for step in told.steps] == [1, 2, 3, 4, 5]
    for step in told.steps:
        token = decompose_activations(dictionary, read, step.step, method).tokens[2]
        assert step.relative_error == pytest.approx(token.relative_error, abs=1e-5)
        assert step.coefficient == pytest.approx({u.atom: u.coefficient for u in token.atoms}[step.atom], abs=1e-4)


def test_the_model_predicts_from_the_true_activation_what_it_always_does(tiny_model, dictionary):
    read = read_prompt(tiny_model, dictionary, PROMPT)
    for token in (0, 3):
        expected, ids = own_predictions(tiny_model, PROMPT, token).topk(5)
        told = replay(tiny_model, dictionary, read, token).predictions
        assert [p.probability for p in told] == pytest.approx(expected.tolist(), abs=1e-5)
        assert [p.token for p in told] == [token_text(tiny_model.tokenizer, i) for i in ids.tolist()]


def test_a_perfect_reconstruction_predicts_what_the_model_does(tiny_model, dictionary):
    # With the axes as atoms, OMP with as many steps as dimensions leaves nothing.
    d_model = tiny_model.d_model
    provenance = pd.concat([dictionary.provenance.iloc[:1]] * d_model, ignore_index=True)
    provenance["atom"] = range(d_model)
    axes = AtomDictionary(
        torch.eye(d_model), torch.zeros(d_model), provenance, dictionary.spec, dictionary.config, dictionary.stats
    )
    read = read_prompt(tiny_model, axes, PROMPT)
    told = replay(tiny_model, axes, read, 3, d_model, "omp")
    last = told.steps[-1]
    assert last.relative_error == pytest.approx(0, abs=1e-6)
    assert [p.token for p in last.predictions] == [p.token for p in told.predictions]
    assert [p.probability for p in last.predictions] == pytest.approx(
        [p.probability for p in told.predictions], abs=1e-4
    )


def test_the_prediction_after_a_step_is_that_of_a_forward_pass_with_the_sum_so_far(tiny_model, dictionary):
    """The same splice written with a plain hook on the block."""
    read = read_prompt(tiny_model, dictionary, PROMPT)
    told = replay(tiny_model, dictionary, read, 2, 3, "mp")
    partial = dictionary.decode(dictionary.encode(read.x[2:3], k=3, method="mp"))

    def splice(_module, _inputs, output):
        first = output[0] if isinstance(output, tuple) else output
        first = first.clone()
        first[:, 2] = partial
        return (first, *output[1:]) if isinstance(output, tuple) else first

    handle = tiny_model.module.transformer.h[2].register_forward_hook(splice)
    try:
        expected = own_predictions(tiny_model, PROMPT, 2).topk(5).values
    finally:
        handle.remove()
    assert [p.probability for p in told.steps[-1].predictions] == pytest.approx(expected.tolist(), abs=1e-5)


def test_an_encoder_predicts_nothing(model_of):
    model = model_of("bert")
    corpus = Corpus.from_documents("one", [Document("d", "baki lomu rasen torvi zanthe inger deki sen")])
    *_, last = train(model, corpus, [0], TrainConfig(k=2, context=32))
    told = replay(model, last.dictionaries[0], read_prompt(model, last.dictionaries[0], "baki sen"), 1)
    assert told.predictions == ()
    assert all(step.predictions == () for step in told.steps)
    assert told.steps[-1].relative_error <= told.steps[0].relative_error


def test_a_token_out_of_range_is_refused(tiny_model, dictionary):
    read = read_prompt(tiny_model, dictionary, PROMPT)
    with pytest.raises(UserError, match="Token 99 does not exist"):
        replay(tiny_model, dictionary, read, 99)


def test_a_step_that_takes_an_atom_again_says_what_its_coefficient_is() -> None:
    def said(method: str, *atoms: int, stayed: set[int]) -> list[str]:
        steps = tuple(ReplayStep(i, atom, 1.0, 0.1, ()) for i, atom in enumerate(atoms, start=1))
        uses = tuple(AtomUse(atom, 1.0, 0.5, "t", "", "", "d", 0, 1) for atom in stayed)
        token = TokenDecomposition(0, "x", 0, 1, False, 0.1, 0.9, len(uses), 1.0, uses)
        return [remark(Replay(0, method, steps, ()), step, token) for step in steps]

    total, anew = "the coefficient is its total so far", "the coefficient is fitted anew"
    again = [f"taken for the second time; {total}", f"taken for the third time; {total}"]
    assert said("mp", 5, 6, 5, 5, stayed={5, 6}) == ["", "", *again]
    assert said("gp", 5, 6, 5, stayed={5, 6}) == ["", "", f"taken for the second time; {anew}"]
    assert said("omp", 5, 6, 5, stayed={6}) == [
        *("left again later", ""),
        f"taken for the second time; {anew}; left again later",
    ]


def test_the_coefficient_of_an_atom_taken_again_is_the_total(tiny_model, dictionary):
    """Matching pursuit against a plain loop: what a step says is the sum of all its choices of that atom."""
    read = read_prompt(tiny_model, dictionary, PROMPT)
    atoms, mean = dictionary.atoms.double().numpy(), dictionary.mean.double().numpy()
    again = 0
    for index, x in enumerate(read.x.double().numpy()):
        residual, totals = x - mean, {}
        for step in replay(tiny_model, dictionary, read, index, 12, "mp").steps:
            strength = atoms @ residual
            atom = int(abs(strength).argmax())
            again += atom in totals
            totals[atom] = totals.get(atom, 0.0) + strength[atom]
            residual = residual - strength[atom] * atoms[atom]
            assert (step.atom, step.coefficient) == (atom, pytest.approx(totals[atom], rel=1e-3, abs=1e-3))
    assert again, "no atom of this prompt is taken twice"
