"""A replay against encodings of their own and the model's own predictions."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from itda_core import AtomDictionary, Corpus, TrainConfig, UserError, train
from itda_core.analysis import decompose_activations, read_prompt, replay
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
        assert [p.token for p in told] == [tiny_model.tokenizer.decode([i]) for i in ids.tolist()]


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
