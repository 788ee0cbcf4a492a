from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from itda_core.dictionaries import AtomDictionary, LabelsOnly, TrainConfig, rebuild, train
from itda_core.errors import UserError
from itda_core.runs import corpus_of, model_of, verify
from itda_core.text import Corpus

if TYPE_CHECKING:
    from itda_core.models import LanguageModel


@pytest.fixture
def dictionary(trained: Path) -> AtomDictionary:
    return AtomDictionary.load(trained)


@pytest.fixture
def corpus(corpus_file: Path) -> Corpus:
    return Corpus.open(str(corpus_file))


def test_every_label_of_a_trained_dictionary_gives_its_atom(
    dictionary: AtomDictionary, tiny_model: LanguageModel, corpus: Corpus
) -> None:
    seen: list[tuple[int, int]] = []
    result = verify(dictionary, tiny_model, corpus, on_progress=lambda done, total: seen.append((done, total)))
    assert [check.atom for check in result.checks] == list(range(len(dictionary)))
    assert not result.wrong
    assert result.worst_cosine is not None
    assert result.worst_cosine > 0.99999  # a hundred times float32's rounding: its windows are cut into other batches
    assert seen[-1] == (len(dictionary), len(dictionary))


def test_the_cosine_is_that_of_hugging_faces_own_hidden_state(
    dictionary: AtomDictionary, tiny_model: LanguageModel, corpus: Corpus
) -> None:
    """Atoms exchanged: each label's cosine must be the one of the wrong atom with the activation at its place."""
    n = len(dictionary)
    turned = dictionary.atoms.roll(1, dims=0)
    shifted = AtomDictionary(
        turned, dictionary.mean, dictionary.provenance, dictionary.spec, dictionary.config, dictionary.stats
    )
    result = verify(shifted, tiny_model, corpus)
    label = dictionary.label(n - 1)
    text = next(document.text for document in corpus if document.id == label.document)
    ids = tiny_model.tokenizer(text[label.window_start :])["input_ids"][: label.position + 1]
    with torch.no_grad():
        states = tiny_model.module(torch.tensor([ids]), output_hidden_states=True).hidden_states
    vector = states[2][0, label.position].numpy() - dictionary.mean.numpy()  # [0] are the embeddings, [2] block 1
    atom = turned[n - 1].numpy()
    expected = vector @ atom / np.linalg.norm(vector) / np.linalg.norm(atom)
    assert result.checks[n - 1].cosine == pytest.approx(expected, abs=1e-4)
    assert len(result.wrong) > n / 2


def test_a_sample_checks_so_many(dictionary: AtomDictionary, tiny_model: LanguageModel, corpus: Corpus) -> None:
    result = verify(dictionary, tiny_model, corpus, 5)
    assert (len(result.checks), result.labels) == (5, len(dictionary))
    assert len({check.atom for check in result.checks}) == 5
    with pytest.raises(UserError, match="sample=0"):
        verify(dictionary, tiny_model, corpus, 0)


def test_an_atom_with_several_labels_is_the_mean_of_their_activations(
    tiny_model: LanguageModel, corpus: Corpus, tmp_path: Path
) -> None:
    config = TrainConfig(k=4, tokens=1500, context=32, centre=True, selection="consensus", atoms=60)
    *_, last = train(tiny_model, corpus, [1], config)
    (dictionary,) = last.dictionaries
    labels = dictionary.provenance
    seen: list[tuple[int, int]] = []
    result = verify(dictionary, tiny_model, corpus, on_progress=lambda done, total: seen.append((done, total)))
    assert len(labels) > 120
    assert (len(result.checks), result.atoms, result.labels) == (60, 60, len(labels))
    assert [check.labels for check in result.checks] == labels.groupby("atom").size().tolist()
    assert not result.wrong
    assert seen[-1] == (len(labels.drop_duplicates(["document", "window_start", "position"])),) * 2
    assert len(verify(dictionary, tiny_model, corpus, 7).checks) == 7
    row = labels["atom"].tolist().index(6) - 1  # one false label of several makes the atom a false one
    dictionary.provenance.loc[row, "token_id"] = 0
    (wrong,) = verify(dictionary, tiny_model, corpus).wrong
    assert (wrong.atom, wrong.cosine) == (5, None)


@pytest.mark.parametrize(
    ("column", "value"), [("position", 31), ("window_start", 1), ("document", "no such"), ("token_id", 0)]
)
def test_a_false_label_is_found(
    dictionary: AtomDictionary, tiny_model: LanguageModel, corpus: Corpus, column: str, value: object
) -> None:
    assert dictionary.provenance.loc[3, column] != value
    dictionary.provenance.loc[3, column] = value
    result = verify(dictionary, tiny_model, corpus)
    assert [check.atom for check in result.wrong] == [3]


CHANGES: dict[str, Callable[[Any], Any]] = {
    "token": lambda value: f"{value}x",
    "char_start": lambda value: value - 1,
    "char_end": lambda value: value + 1,
    "context_before": lambda value: value[1:] + "?",
    "context_after": lambda value: value[:-1] + "?",
    "order": lambda value: value + 1,
    "error": lambda value: value + 0.05,
}


@pytest.mark.parametrize("column", CHANGES)
def test_whatever_is_told_of_a_label_is_checked(
    dictionary: AtomDictionary, tiny_model: LanguageModel, corpus: Corpus, column: str
) -> None:
    row = 7
    dictionary.provenance.loc[row, column] = CHANGES[column](dictionary.provenance.loc[row, column])
    (wrong,) = verify(dictionary, tiny_model, corpus).wrong
    assert (wrong.atom, wrong.differs) == (row, (column,))
    assert wrong.cosine is not None
    assert wrong.cosine > 0.99999


def test_text_and_span_of_every_label_moved_by_one_row_is_seen(
    dictionary: AtomDictionary, tiny_model: LanguageModel, corpus: Corpus
) -> None:
    """What Jaccard compares, and compare then refuses, is what verify checks."""
    moved = ["token", "char_start", "char_end", "context_before", "context_after"]
    frame = dictionary.provenance
    frame[moved] = frame[moved].to_numpy()[np.roll(np.arange(len(frame)), 1)]
    result = verify(dictionary, tiny_model, corpus)
    assert len(result.wrong) == len(dictionary)


def test_an_activation_that_depends_on_its_batch_does_not_come_out_again(
    tiny_model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that reads its padding: each activation moves by some hundredths with the longest window beside it."""
    (tmp_path / "uneven.txt").write_text("\n\n".join(" ".join(["the dog ran"] * (1 + 5 * i % 9)) for i in range(40)))
    corpus = Corpus.open(str(tmp_path / "uneven.txt"))
    honest = type(tiny_model).stream

    def leaking(self: LanguageModel, windows: Any, sites: Any, *, windows_per_batch: int = 16) -> Any:
        windows = iter(windows)
        while batch := list(islice(windows, windows_per_batch)):
            (read,) = honest(self, batch, sites, windows_per_batch=len(batch))
            padded = torch.tensor([max(map(len, batch)) - len(token.window) for token in read.tokens])
            for x in read.activations.values():
                x += 0.01 * padded[:, None] * x.norm(dim=1, keepdim=True) / x.shape[1] ** 0.5
            yield read

    config = TrainConfig(k=4, context=32, selection="sampled", atoms=12)
    for stream, is_true in ((honest, True), (leaking, False)):
        monkeypatch.setattr(type(tiny_model), "stream", stream)
        *_, last = train(tiny_model, corpus, [1], config)
        assert (not verify(last.dictionaries[0], tiny_model, corpus).wrong) == is_true


def test_files_that_are_not_what_was_written_and_those_without_digests_are_told(
    trained: Path, tiny_model: LanguageModel, corpus: Corpus, tmp_path: Path
) -> None:
    folder = tmp_path / "d"
    shutil.copytree(trained, folder)
    found = verify(AtomDictionary.load(folder), tiny_model, corpus, 3)
    assert (found.fault, found.note) == (None, None)
    said = json.loads((folder / "dictionary.json").read_text())
    (folder / "dictionary.json").write_text(json.dumps({**said, "stats": {**said["stats"], "fvu": 0.5}}))
    found = verify(AtomDictionary.load(folder), tiny_model, corpus, 3)
    assert "not what was written" in (found.fault or "")
    del said["sha256"]
    (folder / "dictionary.json").write_text(json.dumps(said))
    found = verify(AtomDictionary.load(folder), tiny_model, corpus, 3)
    assert found.fault is None
    assert "earlier version" in (found.note or "")


def test_errors_of_another_pursuit_are_computed_anew(tiny_model: LanguageModel, corpus: Corpus) -> None:
    *_, last = train(tiny_model, corpus, [1], TrainConfig(k=3, tokens=800, context=32, method="omp"))
    (dictionary,) = last.dictionaries
    result = verify(dictionary, tiny_model, corpus)
    assert result.errors_checked
    assert not result.wrong
    dictionary.provenance.loc[5, "error"] += 0.05
    assert [(check.atom, check.differs) for check in verify(dictionary, tiny_model, corpus).wrong] == [(5, ("error",))]


def test_errors_that_cannot_be_computed_anew_are_said_to_be_unchecked(
    tiny_model: LanguageModel, corpus: Corpus
) -> None:
    *_, last = train(
        tiny_model, corpus, [1], TrainConfig(k=3, tokens=800, context=32, selection="paper", threshold=0.01)
    )
    result = verify(last.dictionaries[0], tiny_model, corpus)
    assert not result.wrong
    assert not result.errors_checked
    assert "were not checked" in (result.note or "")


def test_labels_recorded_before_the_config_counted_verify_when_rebuilt(
    dictionary: AtomDictionary, tiny_model: LanguageModel, corpus: Corpus
) -> None:
    labels = LabelsOnly.of(dictionary)
    weights, _, config = labels.spec.weights_fingerprint.partition("+")
    assert config
    earlier = replace(labels, spec=replace(labels.spec, weights_fingerprint=weights))
    rebuilt = rebuild(earlier, tiny_model, corpus)
    assert rebuilt.stats["rebuilt"]["weights_fingerprint"] == weights
    assert not verify(rebuilt, tiny_model, corpus).wrong


def test_other_text_is_refused(dictionary: AtomDictionary, tiny_model: LanguageModel, tmp_path: Path) -> None:
    (tmp_path / "paragraphs.txt").write_text("Some other text.")
    with pytest.raises(UserError, match="not the one the dictionary was built on"):
        verify(dictionary, tiny_model, Corpus.open(str(tmp_path / "paragraphs.txt")))


def test_a_corpus_file_that_is_elsewhere_must_be_named(
    dictionary: AtomDictionary, corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--corpus"):
        corpus_of(dictionary)
    assert corpus_of(dictionary, str(corpus_file)).fingerprint == dictionary.spec.corpus_fingerprint
    monkeypatch.chdir(corpus_file.parent)
    assert corpus_of(dictionary).fingerprint == dictionary.spec.corpus_fingerprint


def test_the_model_is_loaded_from_where_it_is_now(
    dictionary: AtomDictionary, tiny_folder: Path, tmp_path: Path
) -> None:
    assert model_of(dictionary, device="cpu").name == str(tiny_folder)
    (tmp_path / "moved").symlink_to(tiny_folder)
    assert model_of(dictionary, name=str(tmp_path / "moved"), device="cpu").n_layers == 4


def test_another_models_weights_are_refused(dictionary: AtomDictionary, tiny_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for file in tiny_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    weights["transformer.h.0.mlp.c_fc.bias"] += 1
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError) as caught:
        model_of(dictionary, name=str(tmp_path), device="cpu")
    assert str(tmp_path) in str(caught.value)
    assert str(tiny_folder) in str(caught.value)


def test_a_model_that_is_gone_says_how_to_name_it(dictionary: AtomDictionary) -> None:
    from dataclasses import replace

    dictionary.spec = replace(dictionary.spec, model="/no/such/folder")
    with pytest.raises(UserError, match="--model"):
        model_of(dictionary)
