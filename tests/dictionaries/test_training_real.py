"""Training on real architectures: every label leads back to its atom, and the folder that is saved says the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from itda_core.dictionaries import AtomDictionary, TrainConfig, train
from itda_core.dictionaries.provenance import to_labels
from itda_core.text import Corpus, Document, windows
from tests.conftest import generated_text


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_every_atom_is_the_activation_its_label_names(model_of, family: str, tmp_path: Path) -> None:
    model = model_of(family)
    sentences = generated_text(160, seed=5)
    documents = [Document(f"d{i}", " ".join(sentences[i : i + 8])) for i in range(0, len(sentences), 8)]
    corpus = Corpus.from_documents("sentences", documents)
    config = TrainConfig(k=4, threshold=0.3, context=24, tokens=500, centre=family == "bert")
    *_, last = train(model, corpus, [1, 3], config)
    seen = {(label.document, label.window_start) for d in last.dictionaries for label in to_labels(d.provenance)}
    by_place = {(w.document, w.char_start): w for w in windows(corpus, model.tokenizer, context=24)}
    assert seen <= by_place.keys()
    by_place = {place: by_place[place] for place in seen}
    for trained, layer in zip(last.dictionaries, [1, 3], strict=True):
        trained.save_pretrained(tmp_path / f"{layer}")
        dictionary = AtomDictionary.load(tmp_path / f"{layer}")
        assert torch.equal(dictionary.atoms, trained.atoms)
        assert dictionary.spec.weights_fingerprint == model.fingerprint
        assert (dictionary.spec.layer, dictionary.stats["tokens"]) == (layer, 500)
        assert len(dictionary) > 10
        site = model.site("resid_post", layer)
        read = {place: model.capture(window, [site])[site] for place, window in by_place.items()}
        for label in to_labels(dictionary.provenance):
            window = by_place[label.document, label.window_start]
            assert not window.special[label.position]
            assert window.token_ids[label.position] == label.token_id
            x = read[label.document, label.window_start][label.position] - dictionary.mean
            # A window alone and the same window in a padded batch differ in the last bits.
            torch.testing.assert_close(x / x.norm(), dictionary.atoms[label.atom], atol=1e-5, rtol=0)
