from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from itda_core.dictionaries import AtomDictionary, LabelsOnly, TrainConfig, read_labels, rebuild, train, write_labels
from itda_core.dictionaries.choosing.learning import errors_without
from itda_core.errors import UserError
from itda_core.text import Corpus, Document
from tests.conftest import generated_text
from tests.dictionaries.fake_model import FakeModel, fake_corpus
from tests.tolerance import rounding

if TYPE_CHECKING:
    from itda_core.models import LanguageModel

CONFIGS = {
    "sequential": TrainConfig(k=3, threshold=0.2, context=16, tokens=900),
    "centred": TrainConfig(k=3, threshold=0.4, context=16, tokens=900, centre=True),
    "first windows": TrainConfig(k=3, threshold=0.2, context=8, windows="first"),
    "sampled": TrainConfig(k=3, context=16, selection="sampled", atoms=40, tokens=900),
    "consensus": TrainConfig(k=3, context=16, selection="consensus", atoms=30, tokens=900),
    "consensus, centred": TrainConfig(k=3, context=16, selection="consensus", atoms=30, centre=True),
    "paper": TrainConfig(k=3, context=16, selection="paper", tokens=300),
}


def grown(model: FakeModel, corpus: Corpus, config: TrainConfig) -> AtomDictionary:
    *_, last = train(model, corpus, [1], config)
    return last.dictionaries[0]


def columns(labels: LabelsOnly, *names: str) -> Iterator[tuple[Any, ...]]:
    """Those columns of its places, row by row."""
    return zip(*(labels.places[name].tolist() for name in names), strict=True)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_same_model_gives_the_same_dictionary(name: str, tmp_path: Path) -> None:
    corpus, config = fake_corpus(), CONFIGS[name]
    before = grown(FakeModel(), corpus, config)
    labels = read_labels(write_labels(before, tmp_path / "labels"))
    model = FakeModel()
    seen: list[tuple[int, int]] = []
    again = rebuild(labels, model, corpus, on_progress=lambda met, total: seen.append((met, total)))
    cosines = torch.nn.functional.cosine_similarity(before.atoms, again.atoms)
    assert len(again) == len(before)
    assert float(cosines.min()) > 0.99999
    assert torch.allclose(again.mean, before.mean, atol=1e-6)
    assert again.provenance.drop(columns="error").equals(before.provenance.drop(columns="error"))
    expected = before.provenance["error"].to_numpy()
    assert again.provenance["error"].to_numpy() == pytest.approx(expected, abs=0.0005 + rounding(1))
    assert (again.spec, again.config) == (before.spec, before.config)
    assert again.sink_norm == pytest.approx(before.sink_norm)
    assert (again.stats["tokens"], again.stats["windows"]) == (before.stats["tokens"], before.stats["windows"])
    assert again.stats["rebuilt"]["labels_left_out"] == {"not_comparable": 0, "sinks": 0, "zero": 0}
    assert seen[-1] == (len(before.provenance),) * 2


def test_a_rebuilt_dictionary_is_kept_like_any_other(tmp_path: Path) -> None:
    corpus = fake_corpus()
    before = grown(FakeModel(), corpus, CONFIGS["centred"])
    again = rebuild(LabelsOnly.of(before), FakeModel(seed=1), corpus, layer=2)
    loaded = AtomDictionary.load(again.save_pretrained(tmp_path / "again"))
    assert torch.equal(loaded.atoms, again.atoms)
    assert loaded.stats["rebuilt"]["layer"] == 1
    assert (loaded.spec.layer, loaded.label(0).atom) == (2, 0)


def test_another_models_atoms_are_its_own_activations_at_the_labels() -> None:
    """Each atom against the other model run by hand on the label's window; its mean is its own."""
    corpus = fake_corpus()
    config = CONFIGS["consensus, centred"]
    labels = LabelsOnly.of(grown(FakeModel(), corpus, config))
    other = FakeModel(seed=3, d_model=24)
    other.fingerprint = "other weights"
    own = grown(other, corpus, config)
    rebuilt = rebuild(labels, other, corpus)
    assert torch.allclose(rebuilt.mean, own.mean, atol=1e-6)
    texts = {document.id: document.text for document in corpus}
    sums = np.zeros((len(rebuilt), 24))
    for atom, document, start, position in columns(labels, "atom", "document", "window_start", "position"):
        window = texts[document][start:].split()[:15]  # 16 tokens, the first a start token
        ids = [1, *(int(word[1:]) + 3 for word in window)]
        x = other.embeddings[ids]
        for layer in range(2):
            shifted = torch.cat([torch.zeros(1, 24), x.cumsum(dim=0)[:-1]])
            x = x + torch.tanh((x + 0.3 * shifted) @ other.mixing[layer])
        vector = (x[position] - own.mean).numpy()
        sums[atom] += vector / np.linalg.norm(vector)
    expected = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    assert np.abs(rebuilt.atoms.numpy() - expected).max() < 1e-5


def test_elsewhere_an_error_is_what_the_other_atoms_leave() -> None:
    corpus = fake_corpus()
    labels = LabelsOnly.of(grown(FakeModel(), corpus, CONFIGS["sequential"]))
    rebuilt = rebuild(labels, FakeModel(), corpus, layer=2)
    left = errors_without(rebuilt.atoms, torch.arange(len(rebuilt)), rebuilt.atoms, 3)
    assert rebuilt.provenance["error"].to_numpy() == pytest.approx(left.numpy(), abs=1e-6)
    assert not np.allclose(rebuilt.provenance["error"], labels.places["error"], atol=0.05)


def test_only_windows_with_a_label_are_read() -> None:
    corpus = fake_corpus()
    before = grown(FakeModel(), corpus, replace(CONFIGS["sequential"], sinks=None))
    model = FakeModel()
    rebuild(LabelsOnly.of(before), model, corpus)
    assert model.read == len(before.provenance.drop_duplicates(["document", "window_start"]))


def test_attention_sinks_of_the_model_are_left_out_and_counted() -> None:
    corpus = fake_corpus()
    labels = LabelsOnly.of(grown(FakeModel(), corpus, CONFIGS["sequential"]))
    other = FakeModel(seed=2)
    ids = labels.places["token_id"].tolist()
    word = max(ids, key=ids.count)
    other.embeddings[word] *= 500
    rebuilt = rebuild(labels, other, corpus)
    left_out = rebuilt.stats["rebuilt"]["labels_left_out"]
    assert left_out["sinks"] >= ids.count(word) > 0
    assert len(rebuilt) == len(labels) - left_out["sinks"]
    assert rebuilt.stats["rebuilt"]["atoms_left_out"] == left_out["sinks"]
    assert word not in set(rebuilt.provenance["token_id"])


def _paragraphs() -> Corpus:
    sentences = generated_text(300, seed=4)
    texts = [" ".join(sentences[i : i + 5]) for i in range(0, 300, 5)]
    return Corpus.from_documents("paragraphs", [Document(f"p{i}", text) for i, text in enumerate(texts)])


def test_with_another_tokenizer_only_what_both_have_read_is_taken(
    model_of: Callable[[str], LanguageModel],
) -> None:
    """Against a plain loop with both Hugging Face tokenizers and BERT's own hidden states."""
    bpe, bert, corpus = model_of("gpt2"), model_of("bert"), _paragraphs()
    config = TrainConfig(k=4, threshold=0.1, context=32, tokens=1500, sinks=None)
    *_, last = train(bpe, corpus, [1], config)
    labels = LabelsOnly.of(last.dictionaries[0])
    rebuilt = rebuild(labels, bert, corpus, layer=2)
    texts = {document.id: document.text for document in corpus}
    expected: list[tuple[int, np.ndarray]] = []
    for row, (document, start, char_end) in enumerate(columns(labels, "document", "window_start", "char_end")):
        encoded = bert.tokenizer(texts[document], add_special_tokens=False, return_offsets_mapping=True)
        spans, ids = encoded["offset_mapping"], encoded["input_ids"]
        for begin in range(0, len(ids), 30):  # 32 with [CLS] and [SEP]
            window = spans[begin : begin + 30]
            ends = [end for _, end in window]
            if window[0][0] == start and char_end in ends:
                framed = [2, *ids[begin : begin + 30], 3]
                with torch.no_grad():
                    states = bert.module(torch.tensor([framed]), output_hidden_states=True).hidden_states
                vector = states[3][0, 1 + ends.index(char_end)].numpy()  # [0] are the embeddings
                expected.append((row, vector / np.linalg.norm(vector)))
    assert 0.1 * len(labels) < len(expected) < 0.9 * len(labels)
    assert len(rebuilt) == len(expected)
    told = rebuilt.stats["rebuilt"]
    assert told["labels_left_out"]["not_comparable"] == told["atoms_left_out"] == len(labels) - len(expected)
    assert not told["same_tokenizer"]
    assert np.abs(rebuilt.atoms.numpy() - np.stack([vector for _, vector in expected])).max() < 1e-4
    mine = labels.places.iloc[[row for row, _ in expected]]
    for name in ("document", "window_start", "char_end"):
        assert rebuilt.provenance[name].tolist() == mine[name].tolist()
    # What the rebuilt dictionary counts as read: its own tokenizer's windows to the end of the last document.
    names = list(texts)
    read = names[: names.index(str(labels.places["document"].iloc[-1])) + 1]
    lengths = [len(bert.tokenizer(texts[name], add_special_tokens=False)["input_ids"]) for name in read]
    assert rebuilt.stats["tokens"] == sum(lengths)
    assert rebuilt.stats["windows"] == sum(-(-n // 30) for n in lengths)


def test_what_cannot_be_rebuilt_is_refused(model_of: Callable[[str], LanguageModel]) -> None:
    corpus = fake_corpus()
    labels = LabelsOnly.of(grown(FakeModel(), corpus, CONFIGS["sequential"]))
    with pytest.raises(UserError, match="not the one these labels"):
        rebuild(labels, FakeModel(), fake_corpus(seed=1))
    with pytest.raises(UserError, match="no layer 7"):
        rebuild(labels, FakeModel(), corpus, layer=7)
    short = FakeModel()
    short.context = 8
    with pytest.raises(UserError, match="longer than the 8"):
        rebuild(labels, short, corpus)
    moved = labels.places.assign(window_start=labels.places["char_end"], token_id=0)
    with pytest.raises(UserError, match="at no place that both have read"):
        rebuild(replace(labels, places=moved), FakeModel(), corpus)


def test_the_papers_threshold_means_the_same_cosine_at_another_width(tmp_path: Path) -> None:
    corpus = fake_corpus()
    before = grown(FakeModel(), corpus, replace(CONFIGS["paper"], threshold=0.09))
    wide = rebuild(LabelsOnly.of(before), FakeModel(d_model=32), corpus)
    assert wide.config.threshold == pytest.approx(0.045)  # 2 (1 - cosine) / d_model
    assert AtomDictionary.load(wide.save_pretrained(tmp_path / "wide")).config.threshold == wide.config.threshold
