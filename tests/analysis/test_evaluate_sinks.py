"""Attention sinks in evaluations and decompositions: left out by the dictionary's rule, counted, said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional

from itda_core import AtomDictionary, Corpus, TrainConfig, UserError, decompose, evaluate, train
from itda_core.models import LanguageModel
from itda_core.text import Document, windows
from tests.analysis.test_evaluate import logits_with
from tests.conftest import generated_text

CONTEXT, LAYER, K = 20, 1, 3


@pytest.fixture(scope="module")
def text() -> Corpus:
    return Corpus.from_documents("other", [Document(f"e{i}", line) for i, line in enumerate(generated_text(30, 8))])


@pytest.fixture
def dictionary(tiny_model: LanguageModel) -> AtomDictionary:
    corpus = Corpus.from_documents("some", [Document(f"d{i}", line) for i, line in enumerate(generated_text(60, 3))])
    config = TrainConfig(k=K, threshold=0.2, context=CONTEXT, tokens=300, sinks=2)
    *_, last = train(tiny_model, corpus, [LAYER], config)
    return last.dictionaries[0]


def last_of(progress: Any) -> Any:
    *_, last = progress
    return last


def read(model: LanguageModel, corpus: Corpus) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Token ids and activations of each window, one window at a time."""
    site = model.site("resid_post", LAYER)
    cut = windows(corpus, model.tokenizer, context=CONTEXT)
    return [(window.token_ids, model.capture(window, [site])[site].numpy()) for window in cut]


def limit_at(dictionary: AtomDictionary, x: np.ndarray, share: float) -> float:
    """Sets the dictionary's rule so that about this share of x is left out; returns the limit.

    It lies in the widest gap there: a batch of other windows, whose norms are rounded otherwise, leaves out the same.
    """
    norms = np.sort(np.linalg.norm(x.astype(float), axis=1))
    first, last = (int(len(x) * (1 - share + more)) for more in (-0.02, 0.02))
    below = first + int(np.diff(norms[first:last]).argmax())
    limit = float(norms[below : below + 2].mean())
    dictionary.stats["norm_median"] = limit / 2
    return limit


def test_figures_are_those_of_the_other_tokens(
    tiny_model: LanguageModel, dictionary: AtomDictionary, text: Corpus
) -> None:
    parts = read(tiny_model, text)
    x = np.concatenate([rows for _, rows in parts])
    limit = limit_at(dictionary, x, 0.2)
    last = last_of(evaluate(tiny_model, dictionary, text, tokens=len(x)))
    (result,) = last.results
    sinks = np.linalg.norm(x, axis=1) > limit
    assert (result.tokens, result.sinks_left_out) == ((~sinks).sum(), sinks.sum())
    assert 0.15 * len(x) < sinks.sum() < 0.25 * len(x)
    assert any(f"{sinks.sum():,} attention sinks left out" in note for note in last.notes)

    kept = torch.from_numpy(x[~sinks])
    x_hat = dictionary.decode(dictionary.encode(kept)).numpy()
    residual = np.square(kept.numpy() - x_hat).sum()
    assert result.fvu == pytest.approx(residual / np.square(kept.numpy() - kept.numpy().mean(axis=0)).sum(), rel=1e-4)
    errors = np.square(kept.numpy() - x_hat).sum(axis=1) / np.square(kept.numpy()).sum(axis=1)
    assert result.relative_error == pytest.approx(errors.mean(), rel=1e-4)

    losses, n_predictions = 0.0, 0
    for ids, rows in parts:  # sinks keep what they have

        def splice(output: torch.Tensor, rows: np.ndarray = rows) -> torch.Tensor:
            usual = torch.from_numpy(np.linalg.norm(rows, axis=1) <= limit)
            if usual.any():
                output[usual] = dictionary.decode(dictionary.encode(torch.from_numpy(rows)[usual]))
            return output

        logits = logits_with(tiny_model, LAYER, ids, splice)
        losses += float(
            functional.cross_entropy(logits[:-1], torch.tensor(ids[1:], dtype=torch.int64), reduction="sum")
        )
        n_predictions += len(ids) - 1
    assert result.ce_reconstructed == pytest.approx(losses / n_predictions, abs=1e-4)


def test_dictionaries_with_and_without_the_rule_side_by_side(
    tiny_model: LanguageModel, dictionary: AtomDictionary, text: Corpus
) -> None:
    x = np.concatenate([rows for _, rows in read(tiny_model, text)])
    limit_at(dictionary, x, 0.3)
    stats = {**dictionary.stats, "norm_median": None}
    plain = AtomDictionary(
        dictionary.atoms, dictionary.mean, dictionary.provenance, dictionary.spec, dictionary.config, stats
    )
    both = last_of(evaluate(tiny_model, [dictionary, plain], text, tokens=200)).results
    alone = [last_of(evaluate(tiny_model, one, text, tokens=200)).results[0] for one in (dictionary, plain)]
    assert both[0].sinks_left_out > 0 == both[1].sinks_left_out
    for one, two in zip(both, alone, strict=True):
        assert one.to_dict() == pytest.approx(two.to_dict(), abs=1e-6)


def test_a_text_of_sinks_only_is_refused(tiny_model: LanguageModel, dictionary: AtomDictionary, text: Corpus) -> None:
    dictionary.stats["norm_median"] = 1e-9
    with pytest.raises(UserError, match="attention sink"):
        last_of(evaluate(tiny_model, dictionary, text, tokens=50))


def test_a_decomposition_explains_them_all_the_same_and_says_so(
    tiny_model: LanguageModel, dictionary: AtomDictionary
) -> None:
    prompt = "Some words to read, 42."
    before = decompose(tiny_model, dictionary, prompt)
    assert not any(token.sink for token in before.tokens)
    norms = sorted(token.norm for token in before.tokens)
    dictionary.stats["norm_median"] = (norms[-2] + norms[-1]) / 2 / 2
    after = decompose(tiny_model, dictionary, prompt)
    assert [token.sink for token in after.tokens] == [token.norm == norms[-1] for token in after.tokens]
    assert [token.atoms for token in after.tokens] == [token.atoms for token in before.tokens]
