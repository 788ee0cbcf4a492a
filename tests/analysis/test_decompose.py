"""Decompositions against a plain NumPy pursuit of Hugging Face's own hidden states."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from itda_core import AtomDictionary, Corpus, TrainConfig, UserError, decompose, train
from itda_core.analysis import decompose_activations, read_prompt
from itda_core.text.corpus import Document

PROMPT = "Debaki lo <script>alert(1)</script> mura 😀 the sen."
LAYER, K = 1, 4


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    words = ["baki", "lomu", "rasen", "torvi", "zanthe", "inger", "deki", "sen", "mura", "the"]
    return Corpus.from_documents(
        "words", [Document(f"d{i}", " ".join(words[(i * j) % 10] for j in range(3, 20))) for i in range(12)]
    )


@pytest.fixture(scope="module")
def dictionary(tiny_model, corpus) -> AtomDictionary:
    *_, last = train(tiny_model, corpus, [LAYER], TrainConfig(k=K, threshold=0.2, context=32))
    return last.dictionaries[0]


@pytest.fixture(scope="module")
def hidden(tiny_model) -> np.ndarray:
    """Hugging Face's own hidden states of the prompt after block LAYER, float64."""
    ids = tiny_model.tokenizer(PROMPT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        output = tiny_model.module(input_ids=ids, output_hidden_states=True)
    return output.hidden_states[LAYER + 1][0].double().numpy()


def pursuit(x: np.ndarray, atoms: np.ndarray, k: int) -> tuple[dict[int, float], float]:
    """Matching pursuit by the book: coefficients per atom, and the relative squared error."""
    residual, coefficients = x.copy(), {}
    for _ in range(k):
        correlations = atoms @ residual
        best = int(np.abs(correlations).argmax())
        coefficients[best] = coefficients.get(best, 0.0) + correlations[best]
        residual -= correlations[best] * atoms[best]
    return coefficients, float(residual @ residual / (x @ x))


def test_every_token_is_the_numpy_pursuit_of_the_models_hidden_state(tiny_model, dictionary, hidden):
    result = decompose(tiny_model, dictionary, PROMPT)
    atoms = dictionary.atoms.double().numpy()
    assert len(result.tokens) == len(hidden)
    for token, x in zip(result.tokens, hidden, strict=True):
        coefficients, error = pursuit(x, atoms, K)
        assert token.relative_error == pytest.approx(error, abs=1e-4)
        assert {use.atom: pytest.approx(use.coefficient, abs=1e-3) for use in token.atoms} == coefficients
        x_hat = sum(c * atoms[a] for a, c in coefficients.items())
        assert token.cosine == pytest.approx(x @ x_hat / np.linalg.norm(x) / np.linalg.norm(x_hat), abs=1e-4)
        assert token.norm == pytest.approx(np.linalg.norm(x), rel=1e-4)
        assert token.l0 == len(coefficients)


def test_atoms_come_strongest_first_with_shares_that_sum_to_one(tiny_model, dictionary):
    for token in decompose(tiny_model, dictionary, PROMPT, k=6, method="omp").tokens:
        strengths = [abs(use.coefficient) for use in token.atoms]
        assert strengths == sorted(strengths, reverse=True)
        assert sum(use.share for use in token.atoms) == pytest.approx(1.0)
        assert token.atoms[0].share == pytest.approx(strengths[0] / sum(strengths))


def test_token_texts_are_the_prompts_characters_and_labels_those_of_the_provenance(tiny_model, dictionary, corpus):
    result = decompose(tiny_model, dictionary, PROMPT)
    texts = {document.id: document.text for document in corpus}
    for token in result.tokens:
        assert token.text == PROMPT[token.char_start : token.char_end]
        for use in token.atoms:
            source = texts[use.document]
            assert use.token == source[use.char_start : use.char_end]
            assert source[: use.char_start].endswith(use.context_before)
            assert source[use.char_end :].startswith(use.context_after)


def test_an_atom_that_is_a_mean_tells_all_its_sources(tiny_model, corpus):
    config = TrainConfig(k=K, context=32, selection="consensus", atoms=20, centre=True)
    *_, last = train(tiny_model, corpus, [LAYER], config)
    (means,) = last.dictionaries
    told = {}
    for token in decompose(tiny_model, means, PROMPT).tokens:
        told |= {use.atom: use for use in token.atoms}
    assert max(len(use.further) for use in told.values()) > 1
    for atom, use in told.items():
        rows = means.provenance[means.provenance["atom"] == atom]
        seen = [(label.document, label.char_start, label.token, label.context_before) for label in (use, *use.further)]
        assert seen == list(
            zip(rows["document"], rows["char_start"], rows["token"], rows["context_before"], strict=True)
        )


def test_a_centred_dictionary_explains_what_differs_from_the_mean(tiny_model, corpus):
    *_, last = train(tiny_model, corpus, [LAYER], TrainConfig(k=K, threshold=0.2, context=32, centre=True))
    dictionary = last.dictionaries[0]
    read = read_prompt(tiny_model, dictionary, PROMPT)
    atoms, mean = dictionary.atoms.double().numpy(), dictionary.mean.double().numpy()
    for token, x in zip(decompose_activations(dictionary, read).tokens, read.x.double().numpy(), strict=True):
        assert token.relative_error == pytest.approx(pursuit(x - mean, atoms, K)[1], abs=1e-4)


def test_special_tokens_carry_their_name(model_of):
    model = model_of("bert")
    corpus = Corpus.from_documents("one", [Document("d", "baki lomu rasen torvi zanthe inger deki sen")])
    *_, last = train(model, corpus, [0], TrainConfig(k=2, context=32))
    tokens = decompose(model, last.dictionaries[0], "baki sen").tokens
    assert (tokens[0].text, tokens[-1].text) == ("[CLS]", "[SEP]")
    assert [token.special for token in tokens] == [True, *[False] * (len(tokens) - 2), True]


def test_the_dictionary_as_a_json_object_has_the_contracts_keys(tiny_model, dictionary):
    value = decompose(tiny_model, dictionary, PROMPT).to_dict()
    assert {"model", "layer", "site", "k", "method", "tokens"} <= value.keys()
    assert {"index", "text", "char_start", "char_end", "relative_error", "atoms"} <= value["tokens"][0].keys()
    keys = {"atom", "coefficient", "share", "token", "context_before", "context_after", "document"}
    assert keys | {"char_start", "char_end", "further"} == value["tokens"][0]["atoms"][0].keys()


@pytest.mark.parametrize(
    ("change", "said"), [({"d_model": 64}, "64 dimensions"), ({"weights_fingerprint": "f00"}, "f00")]
)
def test_another_models_dictionary_is_refused(tiny_model, dictionary, change, said):
    spec = dataclasses.replace(dictionary.spec, **change)
    other = AtomDictionary(
        dictionary.atoms, dictionary.mean, dictionary.provenance, spec, dictionary.config, dictionary.stats
    )
    with pytest.raises(UserError, match=said):
        decompose(tiny_model, other, PROMPT)


@pytest.mark.parametrize(("prompt", "said"), [("", "empty"), ("baki " * 500, "context")])
def test_a_prompt_that_cannot_be_read_is_refused(tiny_model, dictionary, prompt, said):
    with pytest.raises(UserError, match=said):
        decompose(tiny_model, dictionary, prompt)


def test_k_above_the_number_of_atoms_is_refused(tiny_model, dictionary):
    with pytest.raises(UserError, match=f"k={len(dictionary) + 1} exceeds the dictionary's {len(dictionary)} atoms"):
        decompose(tiny_model, dictionary, PROMPT, k=len(dictionary) + 1)


def test_a_dictionary_smaller_than_its_k_is_used_whole(tiny_model):
    corpus = Corpus.from_documents("one", [Document("d", "baki baki")])
    *_, last = train(tiny_model, corpus, [LAYER], TrainConfig(k=40, context=32))
    result = decompose(tiny_model, last.dictionaries[0], "baki lomu")
    assert result.k == len(last.dictionaries[0]) < 40
