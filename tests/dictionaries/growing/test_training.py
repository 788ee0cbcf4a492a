"""Training on a fake model: what the atoms are, several layers at once, kills and resumes, bad input."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from itda_core.dictionaries import AtomDictionary, TrainConfig, TrainProgress, cosine_of, train
from itda_core.dictionaries.growing import held_out
from itda_core.dictionaries.provenance import to_labels
from itda_core.errors import UserError
from itda_core.text import Corpus, Document, windows
from tests.dictionaries.fake_model import FakeModel, fake_corpus
from tests.dictionaries.growing.test_paper import four_steps
from tests.dictionaries.growing.test_sequential import one_at_a_time
from tests.tolerance import assert_rounded_once

CONFIG = TrainConfig(k=4, threshold=0.15, context=12)
PAPER = {"selection": "paper", "threshold": 0.005}  # cosine 0.96 at d_model=16


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


def finish(events: Any) -> TrainProgress:
    *_, last = events
    assert last.done
    return last


def only(events: Any) -> AtomDictionary:
    (dictionary,) = finish(events).dictionaries
    return dictionary


def activations(model: FakeModel, corpus: Corpus, layer: int, context: int = 12) -> torch.Tensor:
    """Every activation of the corpus, one window at a time."""
    site = model.site("resid_post", layer)
    rows = []
    for window in windows(corpus, model.tokenizer, context=context):
        rows.append(model.capture(window, [site])[site][~torch.tensor(window.special)])
    return torch.cat(rows)


def assert_same(a: AtomDictionary, b: AtomDictionary) -> None:
    """To the bit: of two trainings that read the same batches, which is all that an interruption leaves the same."""
    assert torch.equal(a.atoms, b.atoms)
    assert torch.equal(a.mean, b.mean)
    assert a.provenance.equals(b.provenance)
    timed = {"seconds", "tokens_per_second", "reading"}
    assert {k: v for k, v in a.stats.items() if k not in timed} == {k: v for k, v in b.stats.items() if k not in timed}


def assert_same_choice(a: AtomDictionary, b: AtomDictionary) -> None:
    """Of two trainings that read the same activations in other batches: the same atoms from the same places.

    An atom is an activation divided by its norm, whatever it was read with, so it is the same to the bit. Its error
    goes by products of other shapes.
    """
    assert torch.equal(a.atoms, b.atoms)
    pd.testing.assert_frame_equal(a.provenance.drop(columns="error"), b.provenance.drop(columns="error"))
    assert_rounded_once(a.provenance["error"], b.provenance["error"], a.config.k)


def test_training_is_one_at_a_time_selection_of_the_stream(model: FakeModel) -> None:
    corpus = fake_corpus()
    dictionary = only(train(model, corpus, [1], CONFIG))
    x = activations(model, corpus, 1)
    rows, errors, atoms = one_at_a_time(x, 4, 0.15)
    assert dictionary.provenance["order"].tolist() == list(range(len(rows)))
    np.testing.assert_allclose(dictionary.atoms.numpy(), atoms, atol=1e-6)
    np.testing.assert_allclose(dictionary.provenance["error"], errors[rows], atol=1e-5)
    stats = dictionary.stats
    assert stats["tokens"] == len(x) == 60 * 20
    assert stats["windows"] == stats["special_tokens_left_out"] == 60 * 2
    assert stats["mean_relative_error"] == pytest.approx(errors.mean(), abs=1e-5)
    assert (dictionary.spec.layer, dictionary.spec.site, dictionary.spec.d_model) == (1, "resid_post", 16)
    assert (dictionary.spec.corpus, dictionary.spec.corpus_fingerprint) == ("fake-corpus", corpus.fingerprint)
    assert not dictionary.mean.any()


def by_batches_of_windows(model: FakeModel, corpus: Corpus, layer: int, tokens: int | None = None) -> list:
    """What one judgement gets: the activations of 16 windows, cut off at the wanted number of tokens."""
    site, room, batches = model.site("resid_post", layer), tokens, []
    read = list(windows(corpus, model.tokenizer, context=12))
    for start in range(0, len(read), 16):
        rows = [model.capture(w, [site])[site][~torch.tensor(w.special)] for w in read[start : start + 16]]
        batches.append(torch.cat(rows)[:room])
        room = None if room is None else room - len(batches[-1])
        if room == 0:
            break
    return batches


@pytest.mark.parametrize("settings", [{}, {"tokens": 901}, {"atoms": 50}, {"atoms": 11}, {"threshold": None}])
def test_the_papers_rule_takes_the_stream_in_forward_batches(model: FakeModel, settings: dict) -> None:
    corpus, config = fake_corpus(), TrainConfig(**{"k": 4, "context": 12, **PAPER, **settings})
    dictionary = only(train(model, corpus, [1], config))
    batches = by_batches_of_windows(model, corpus, 1, config.tokens)
    threshold = config.threshold_for(16)
    assert threshold is not None
    places, atoms, relative = four_steps(batches, 4, threshold, config.atoms)
    np.testing.assert_allclose(dictionary.atoms.numpy(), atoms, atol=1e-6)
    ids = [label.token_id for label in to_labels(dictionary.provenance)]
    text = [token.token_id for w in windows(corpus, model.tokenizer, context=12) for token in w.tokens()]
    starts = np.cumsum([0, *map(len, batches)])
    assert ids == [text[starts[b] + row] for b, row in places]
    stats = dictionary.stats
    assert stats["tokens"] == len(relative)
    if len(atoms) >= 16:  # otherwise the four steps reconstruct with rows that are cropped away afterwards
        assert stats["mean_relative_error"] == pytest.approx(np.mean(relative), abs=1e-5)
    assert dictionary.config.threshold == threshold
    assert stats["threshold_cosine"] == cosine_of(threshold, 16)
    assert stats["duplicate_atoms"] == len(atoms) - len({tuple(atom) for atom in atoms})
    assert len(atoms) == config.atoms or len(atoms) > 40


def test_only_the_papers_rule_depends_on_the_batches(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, paper = fake_corpus(), TrainConfig(k=4, context=12, **PAPER)
    before = [only(train(model, corpus, [1], config)).atoms for config in (CONFIG, paper)]
    monkeypatch.setattr("itda_core.dictionaries.growing.training.WINDOWS_PER_BATCH", 5)
    after = [only(train(model, corpus, [1], config)).atoms for config in (CONFIG, paper)]
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1][:40], after[1][:40])


def test_a_paper_threshold_is_refused_before_anything_is_read(model: FakeModel, tmp_path: Path) -> None:
    config = TrainConfig(k=4, context=12, selection="paper", threshold=0.25)
    with pytest.raises(UserError, match=r"threshold=0\.25 can add no atom at d_model=16.*cosine 0\.837"):
        train(model, fake_corpus(), [0], config, work=tmp_path)
    assert model.read == 0


def test_a_text_that_repeats_one_activation(model: FakeModel) -> None:
    corpus = Corpus.from_documents("same", [Document(f"d{i}", "w7") for i in range(400)])
    dictionary = only(train(model, corpus, [0], TrainConfig(k=4, context=12, selection="paper")))
    assert (len(dictionary), dictionary.stats["duplicate_atoms"]) == (16, 15)  # one from each of the first 16 batches
    assert dictionary.provenance["document"].tolist() == [f"d{i}" for i in range(0, 256, 16)]
    assert dictionary.stats["mean_relative_error"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("selection", [{"threshold": 0.15}, PAPER])
@pytest.mark.parametrize("centre", [False, True])
def test_every_atom_is_the_activation_its_label_names(model: FakeModel, centre: bool, selection: dict) -> None:
    corpus = fake_corpus()
    config = TrainConfig(k=4, context=12, centre=centre, **selection)
    dictionary = only(train(model, corpus, [2], config))
    texts = {document.id: document.text for document in corpus}
    site = model.site("resid_post", 2)
    by_place = {(w.document, w.char_start): w for w in windows(corpus, model.tokenizer, context=12)}
    for row in to_labels(dictionary.provenance):
        window = by_place[row.document, row.window_start]
        x = model.capture(window, [site])[site][row.position] - dictionary.mean
        torch.testing.assert_close(x / x.norm(), dictionary.atoms[row.atom], atol=1e-6, rtol=0)
        text = texts[row.document]
        assert text[row.char_start : row.char_end] == row.token
        assert row.token_id == window.token_ids[row.position] == int(row.token[1:]) + 3
        assert row.context_before == text[max(0, row.char_start - 80) : row.char_start]
        assert row.context_after == text[row.char_end : row.char_end + 40]


def test_the_mean_is_that_of_the_first_tokens(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, config = fake_corpus(), TrainConfig(k=4, threshold=0.15, context=12, centre=True)
    x = activations(model, corpus, 0)
    torch.testing.assert_close(only(train(model, corpus, [0], config)).mean, x.mean(dim=0))
    monkeypatch.setattr("itda_core.dictionaries.growing.stream_statistics.MEAN_TOKENS", 333)
    dictionary = only(train(model, corpus, [0], config))
    torch.testing.assert_close(dictionary.mean, x[:333].mean(dim=0))
    _, _, atoms = one_at_a_time(x - dictionary.mean, 4, 0.15)
    np.testing.assert_allclose(dictionary.atoms.numpy(), atoms, atol=1e-6)
    assert dictionary.stats["tokens"] == len(x)


@pytest.mark.parametrize("selection", [{"threshold": 0.15}, PAPER])
@pytest.mark.parametrize("centre", [False, True])
def test_layers_together_are_the_layers_alone_and_share_the_forward_passes(
    model: FakeModel, centre: bool, selection: dict
) -> None:
    corpus, config = fake_corpus(), TrainConfig(k=4, context=12, centre=centre, tokens=900, **selection)
    together = finish(train(model, corpus, [0, 2], config)).dictionaries
    once = model.read
    for layer, dictionary in zip([0, 2], together, strict=True):
        model.read = 0
        assert_same(dictionary, only(train(model, corpus, [layer], config)))
        assert model.read == once


@pytest.mark.parametrize("tokens", [1, 160, 161, 500])
def test_tokens_are_counted_exactly(model: FakeModel, tokens: int) -> None:
    corpus = fake_corpus()
    events = list(train(model, corpus, [1], TrainConfig(k=4, threshold=0.15, context=12, tokens=tokens)))
    (dictionary,) = events[-1].dictionaries
    assert dictionary.stats["tokens"] == events[-1].tokens == events[-1].total == tokens
    x = activations(model, corpus, 1)
    _, _, atoms = one_at_a_time(x[:tokens], 4, 0.15)
    np.testing.assert_allclose(dictionary.atoms.numpy(), atoms, atol=1e-6)
    held = x[tokens : tokens + held_out.MOST_TOKENS]
    x_hat = dictionary.decode(dictionary.encode(held))
    fvu = (held - x_hat).square().sum() / (held - held.mean(dim=0)).square().sum()
    assert dictionary.stats["fvu"] == pytest.approx(float(fvu), rel=1e-4)
    errors = (held - x_hat).square().sum(dim=1) / held.square().sum(dim=1)
    assert dictionary.stats["relative_error"] == pytest.approx(float(errors.mean()), rel=1e-4)
    assert (dictionary.stats["fvu_text"], dictionary.stats["fvu_tokens"]) == ("held-out", len(held))


def test_held_out_text_is_limited_and_training_text_replaces_it(model: FakeModel, monkeypatch) -> None:
    monkeypatch.setattr(held_out, "collect", lambda parts, most=500, collect=held_out.collect: collect(parts, most))
    config = TrainConfig(k=4, threshold=0.15, context=12, tokens=600)
    stats = only(train(model, fake_corpus(), [1], config)).stats
    assert (stats["fvu_text"], stats["fvu_tokens"]) == ("held-out", 500)
    config = TrainConfig(k=4, threshold=0.15, context=12, tokens=1100)
    stats = only(train(model, fake_corpus(), [1], config)).stats
    assert (stats["fvu_text"], stats["fvu_tokens"]) == ("training", 1100)


def test_wanted_atoms_end_the_training(model: FakeModel) -> None:
    whole = only(train(model, fake_corpus(), [1], CONFIG))
    part = only(train(model, fake_corpus(), [1], TrainConfig(k=4, threshold=0.15, context=12, atoms=30)))
    assert torch.equal(part.atoms, whole.atoms[:30])
    assert part.stats["tokens"] < whole.stats["tokens"]
    assert len(whole) > 30


def test_progress_tells_what_happens(model: FakeModel) -> None:
    events = list(train(model, fake_corpus(), [0, 1], TrainConfig(k=4, threshold=0.15, context=12, tokens=1000)))
    assert [event.done for event in events] == [False] * (len(events) - 1) + [True]
    tokens = [event.tokens for event in events]
    assert tokens == sorted(tokens)
    assert tokens[-1] == 1000
    assert len(events) == 8  # seven batches and the end
    for event in events:
        assert [layer.layer for layer in event.layers] == [0, 1]
        assert event.atoms == event.layers[0].atoms
        assert 0 <= event.relative_error <= 1
        assert 0 <= event.layers[1].acceptance_rate <= 1
        assert event.tokens_per_second > 0
        assert event.eta is not None
        assert event.eta >= 0
        latest = event.layers[1].latest
        assert [label.order for label in latest] == list(range(event.layers[1].atoms))[-5:]
    first = events[0]
    assert first.layers[0].acceptance_rate == pytest.approx(first.layers[0].atoms / first.tokens)


def interrupted(model, corpus, config, work, batches: int, **options) -> None:
    events = train(model, corpus, [0, 1], config, work=work, **options)
    for _ in range(batches):
        next(events)
    events.close()


@pytest.mark.parametrize(
    ("settings", "batches"),
    [
        ({}, 1),
        ({"centre": True}, 4),
        ({"tokens": 901}, 5),
        ({"atoms": 40}, 2),
        ({"method": "omp"}, 3),
        (PAPER, 1),
        ({**PAPER, "centre": True}, 4),
        ({**PAPER, "tokens": 901}, 5),
        ({"selection": "paper", "threshold": 0.02, "atoms": 45}, 2),
    ],
)
def test_a_closed_run_resumes_to_the_same_dictionaries(model, tmp_path: Path, settings: dict, batches: int) -> None:
    corpus, config = fake_corpus(), TrainConfig(**{"k": 4, "threshold": 0.15, "context": 12, **settings})
    alone = finish(train(model, corpus, [0, 1], config)).dictionaries
    interrupted(model, corpus, config, tmp_path, batches)
    interrupted(model, corpus, config, tmp_path, 1, resume=True)
    resumed = finish(train(model, corpus, [0, 1], config, work=tmp_path, resume=True)).dictionaries
    for a, b in zip(alone, resumed, strict=True):
        assert_same(a, b)


@pytest.mark.parametrize("killed_after", [1, 6])
def test_a_killed_run_resumes_from_an_older_checkpoint(model, tmp_path: Path, killed_after: int) -> None:
    corpus, config = fake_corpus(), TrainConfig(k=4, threshold=0.15, context=12, tokens=1111)
    alone = finish(train(model, corpus, [0, 1], config)).dictionaries
    interrupted(model, corpus, config, tmp_path, 2)
    (older,) = tmp_path.iterdir()
    kept = tmp_path.parent / "kept"
    os.rename(older, kept)
    events = train(model, corpus, [0, 1], config, work=tmp_path, checkpoint_seconds=0)
    for _ in range(killed_after):
        next(events)
    os.rename(kept, older)  # what a kill leaves: a checkpoint from before, half a new one, and no chance to save more
    for other in tmp_path.iterdir():
        if other != older:
            other.rename(tmp_path / f".partial-{other.name}")
    resumed = finish(train(model, corpus, [0, 1], config, work=tmp_path, resume=True)).dictionaries
    for a, b in zip(alone, resumed, strict=True):
        assert_same(a, b)
    assert not list(tmp_path.glob(".partial-*"))


def test_a_finished_run_that_was_not_saved_is_finished_again_from_its_end(model, tmp_path: Path) -> None:
    corpus = fake_corpus()
    first = finish(train(model, corpus, [0, 1], CONFIG, work=tmp_path, checkpoint_seconds=0)).dictionaries
    model.read = 0
    again = finish(train(model, corpus, [0, 1], CONFIG, work=tmp_path, resume=True)).dictionaries
    for a, b in zip(first, again, strict=True):
        assert_same(a, b)
    assert model.read == 60 * 2  # for the measurement on training text only


class Interrupting(FakeModel):
    """Ctrl-C in the middle of a forward batch, after the first layer has been judged."""

    def stream(self, windows, sites, *, windows_per_batch=16):
        for i, batch in enumerate(super().stream(windows, sites, windows_per_batch=windows_per_batch)):
            yield batch if i < 3 else batch._replace(activations=_Trap(batch.activations))


class _Trap(dict):
    def __getitem__(self, site):
        if site.layer == 1:
            raise KeyboardInterrupt
        return super().__getitem__(site)


def test_an_interrupt_in_the_middle_of_a_batch_keeps_the_state_before_it(model, tmp_path: Path) -> None:
    corpus, config = fake_corpus(), replace(CONFIG, sinks=None)  # which would look at several batches beforehand
    alone = finish(train(model, corpus, [0, 1], config)).dictionaries
    with pytest.raises(KeyboardInterrupt):
        list(train(Interrupting(), corpus, [0, 1], config, work=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000000000480"]
    resumed = finish(train(model, corpus, [0, 1], config, work=tmp_path, resume=True)).dictionaries
    for a, b in zip(alone, resumed, strict=True):
        assert_same(a, b)


def test_resume_without_a_checkpoint_begins_and_a_new_run_forgets_the_old(model, tmp_path: Path) -> None:
    corpus = fake_corpus()
    alone = only(train(model, corpus, [0], CONFIG))
    assert_same(alone, only(train(model, corpus, [0], CONFIG, work=tmp_path / "new", resume=True)))
    interrupted(model, fake_corpus(seed=1), CONFIG, tmp_path, 4)
    assert_same(alone, only(train(model, corpus, [0], CONFIG, work=tmp_path)))


def test_resume_refuses_another_run_and_names_what_differs(model, tmp_path: Path) -> None:
    interrupted(model, fake_corpus(), CONFIG, tmp_path, 3)
    other = FakeModel()
    other.fingerprint = "other weights"

    def sentence(model, corpus, layers, config) -> str:
        with pytest.raises(UserError) as caught:
            next(train(model, corpus, layers, config, work=tmp_path, resume=True))
        return str(caught.value)

    larger = TrainConfig(k=5, threshold=0.15, context=12)
    assert "it had k 4 and not 5;" in sentence(model, fake_corpus(), [0, 1], larger)
    assert "it had corpus " in sentence(model, fake_corpus(seed=1), [0, 1], CONFIG)
    assert "it had model weights and not other weights;" in sentence(other, fake_corpus(), [0, 1], CONFIG)
    assert "sites blocks.0.hook_resid_post" in sentence(model, fake_corpus(), [0], CONFIG)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("file", ["state.json", "tensors.safetensors", "0.parquet"])
def test_a_damaged_checkpoint_is_named(model, tmp_path: Path, file: str) -> None:
    interrupted(model, fake_corpus(), CONFIG, tmp_path, 3)
    (checkpoint,) = tmp_path.iterdir()
    (checkpoint / file).write_bytes(b"\x00garbage")
    with pytest.raises(UserError, match=f"{file} is damaged"):
        next(train(model, fake_corpus(), [0, 1], CONFIG, work=tmp_path, resume=True))


def test_a_full_disk_keeps_the_checkpoint_before(model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = fake_corpus()
    alone = finish(train(model, corpus, [0, 1], CONFIG)).dictionaries
    monkeypatch.setattr(
        "itda_core.dictionaries.checkpoints.saving.WORK_PER_SAVING", 0.0
    )  # a checkpoint after each batch
    events = train(model, corpus, [0, 1], CONFIG, work=tmp_path, checkpoint_seconds=0)
    next(events)
    next(events)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(UserError, match="disk is full"):
        next(events)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000000000320"]
    resumed = finish(train(model, corpus, [0, 1], CONFIG, work=tmp_path, resume=True)).dictionaries
    for a, b in zip(alone, resumed, strict=True):
        assert_same(a, b)


def test_bad_requests_are_refused_before_anything_is_read(model, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no layer 7"):
        train(model, fake_corpus(), [7], CONFIG)
    with pytest.raises(UserError, match="context=128 is longer than the 64 tokens"):
        train(model, fake_corpus(), [0], TrainConfig())
    with pytest.raises(UserError, match="each once"):
        train(model, fake_corpus(), [0, 0], CONFIG)
    with pytest.raises(UserError, match="at least one"):
        train(model, fake_corpus(), [], CONFIG)
    assert model.read == 0


def test_a_corpus_without_tokens_and_a_site_without_activations(model) -> None:
    with pytest.raises(UserError, match="gave no token"):
        list(train(model, Corpus.from_documents("empty", [Document("a", "   ")]), [0], CONFIG))
    with pytest.raises(UserError, match="gave no token"):
        list(train(model, Corpus.from_documents("empty", []), [0], TrainConfig(context=12, centre=True)))
    model.embeddings.zero_()
    with pytest.raises(UserError, match="was zero; choose another site"):
        list(train(model, fake_corpus(), [0], CONFIG))


def test_a_short_corpus_says_how_much_it_gave(model) -> None:
    corpus = Corpus.from_documents("short", [Document("a", "w1 w2 w3")])
    dictionary = only(train(model, corpus, [0], TrainConfig(k=4, threshold=0.15, context=12, tokens=1000)))
    assert dictionary.stats["tokens"] == 3
    assert (dictionary.stats["fvu_text"], dictionary.stats["fvu_tokens"]) == ("training", 3)
    lonely = Corpus.from_documents("one", [Document("a", "w1")])
    assert only(train(model, lonely, [0], CONFIG)).stats["fvu"] is None
