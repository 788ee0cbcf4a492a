"""Attention sinks: what is left out, by a rule that depends on the text alone, and that everything else stays put."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from itda_core.dictionaries import AtomDictionary, TrainConfig, train
from itda_core.dictionaries.growing.sinks import median_norm, norms, sinks_in
from itda_core.dictionaries.provenance import to_labels
from itda_core.text import windows
from tests.dictionaries.fake_model import FakeModel, fake_corpus
from tests.dictionaries.growing.test_sequential import one_at_a_time
from tests.dictionaries.growing.test_training import (
    activations,
    assert_same,
    assert_same_choice,
    finish,
    interrupted,
    only,
)

CONFIG = TrainConfig(k=4, threshold=0.15, context=12)
SINKING = 9  # a token id; its activations become a hundred times longer


class SinkModel(FakeModel):
    """One word is a sink wherever it stands, in all layers but the last."""

    def capture(self, window, sites):
        read = super().capture(window, sites)
        sinks = torch.tensor([id == SINKING for id in window.token_ids])
        return {site: torch.where(sinks[:, None], 100 * x, x) if site.layer != 2 else x for site, x in read.items()}


@pytest.fixture
def model() -> SinkModel:
    return SinkModel()


def tokens_of(model: FakeModel, corpus) -> list[int]:
    cut = windows(corpus, model.tokenizer, context=12)
    return [token.token_id for window in cut for token in window.tokens()]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=40), st.integers(1, 45), st.data())
def test_the_median_is_numpys_and_does_not_depend_on_the_parts(lengths: list[float], limit: int, data) -> None:
    x = torch.zeros(len(lengths), 3)
    x[:, 1] = torch.tensor(lengths)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(x)), max_size=4)))
    parts = [x[a:b] for a, b in zip([0, *cuts], [*cuts, len(x)], strict=True)]
    first = np.array(lengths, dtype=np.float32)[:limit]
    first = np.sort(first[first > 0])
    expected = float(first[(len(first) - 1) // 2]) if len(first) else None
    assert median_norm(parts, limit) == pytest.approx(expected) if expected is not None else True
    assert median_norm(parts, limit) == median_norm([x], limit)
    assert (median_norm([x], limit) is None) == (expected is None)


def test_norms_are_right_for_numbers_float32_cannot_square() -> None:
    x = torch.tensor([[3e25, 4e25], [3e-25, 4e-25]])
    np.testing.assert_allclose(norms(x).numpy(), [5e25, 5e-25], rtol=1e-6)
    assert sinks_in(x, None).tolist() == [False, False]
    assert sinks_in(x, 1.0).tolist() == [True, False]


def test_sinks_neither_become_atoms_nor_are_judged(model: SinkModel) -> None:
    corpus = fake_corpus()
    dictionary = only(train(model, corpus, [1], CONFIG))
    x = activations(model, corpus, 1).numpy()
    long = np.linalg.norm(x, axis=1)
    median = np.sort(long)[(len(long) - 1) // 2]
    sinks = long > 10 * median
    assert sinks.tolist() == [id == SINKING for id in tokens_of(model, corpus)]
    assert sinks.sum() > 5
    stats = dictionary.stats
    assert stats["sinks_left_out"] == sinks.sum()
    assert stats["norm_median"] == pytest.approx(median)
    assert stats["tokens"] == len(x)
    _, errors, atoms = one_at_a_time(torch.from_numpy(x[~sinks]), 4, 0.15)
    np.testing.assert_allclose(dictionary.atoms.numpy(), atoms, atol=1e-6)
    assert stats["mean_relative_error"] == pytest.approx(errors.mean(), abs=1e-5)
    labels = to_labels(dictionary.provenance)
    assert all(label.token_id == int(label.token[1:]) + 3 != SINKING for label in labels)
    x_hat = dictionary.decode(dictionary.encode(torch.from_numpy(x[~sinks]))).numpy()
    held = x[~sinks]
    fvu = np.square(held - x_hat).sum() / np.square(held - held.mean(axis=0)).sum()
    assert stats["fvu"] == pytest.approx(fvu, rel=1e-4)
    assert (stats["fvu_tokens"], stats["fvu_sinks_left_out"]) == (len(held), sinks.sum())


def test_the_mean_is_taken_without_sinks(model: SinkModel, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = fake_corpus()
    x = activations(model, corpus, 0)
    sinks = torch.tensor([id == SINKING for id in tokens_of(model, corpus)])
    dictionary = only(train(model, corpus, [0], replace(CONFIG, centre=True)))
    torch.testing.assert_close(dictionary.mean, x[~sinks].mean(dim=0))
    monkeypatch.setattr("itda_core.dictionaries.growing.stream_statistics.MEAN_TOKENS", 333)
    dictionary = only(train(model, corpus, [0], replace(CONFIG, centre=True)))
    torch.testing.assert_close(dictionary.mean, x[:333][~sinks[:333]].mean(dim=0))


def test_each_site_has_a_median_of_its_own(model: SinkModel) -> None:
    both = finish(train(model, fake_corpus(), [1, 2], CONFIG)).dictionaries
    assert both[0].stats["sinks_left_out"] > 5
    assert both[1].stats["sinks_left_out"] == 0
    for layer, dictionary in zip([1, 2], both, strict=True):
        assert_same(dictionary, only(train(model, fake_corpus(), [layer], CONFIG)))


@pytest.mark.parametrize("settings", [{}, {"centre": True}, {"tokens": 700}, {"atoms": 40}])
def test_batches_and_interruptions_change_nothing(
    model: SinkModel, tmp_path: Path, settings: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, config = fake_corpus(), replace(CONFIG, **settings)
    alone = finish(train(model, corpus, [0, 1], config)).dictionaries
    assert alone[0].stats["sinks_left_out"] > 0
    interrupted(model, corpus, config, tmp_path, 2)
    resumed = finish(train(model, corpus, [0, 1], config, work=tmp_path, resume=True)).dictionaries
    for a, b in zip(alone, resumed, strict=True):
        assert_same(a, b)
    monkeypatch.setattr("itda_core.dictionaries.growing.training.WINDOWS_PER_BATCH", 5)
    for a, b in zip(alone, finish(train(model, corpus, [0, 1], config)).dictionaries, strict=True):
        assert_same_choice(a, b)
        assert a.stats["sinks_left_out"] == b.stats["sinks_left_out"]


def test_off_means_off(model: SinkModel) -> None:
    corpus = fake_corpus()
    x = activations(model, corpus, 1)
    dictionary = only(train(model, corpus, [1], replace(CONFIG, sinks=None)))
    _, _, atoms = one_at_a_time(x, 4, 0.15)
    np.testing.assert_allclose(dictionary.atoms.numpy(), atoms, atol=1e-6)
    assert (dictionary.stats["sinks_left_out"], dictionary.sink_norm) == (0, None)
    paper = only(train(model, corpus, [1], TrainConfig(k=4, context=12, selection="paper", threshold=0.005)))
    assert (paper.stats["sinks_left_out"], paper.config.sinks, paper.sink_norm) == (0, None, None)


def test_progress_counts_them(model: SinkModel) -> None:
    corpus = fake_corpus()
    *_, before, last = train(model, corpus, [1, 2], CONFIG)
    expected = sum(id == SINKING for id in tokens_of(model, corpus))
    assert [layer.sinks for layer in before.layers] == [layer.sinks for layer in last.layers] == [expected, 0]


def test_the_rule_is_kept_with_the_dictionary_and_older_ones_have_none(model: SinkModel, tmp_path: Path) -> None:
    import json

    dictionary = only(train(model, fake_corpus(), [1], CONFIG))
    loaded = AtomDictionary.load(dictionary.save_pretrained(tmp_path / "new"))
    assert loaded.sink_norm == dictionary.sink_norm == 10 * dictionary.stats["norm_median"]
    file = tmp_path / "new" / "dictionary.json"
    said = json.loads(file.read_text())
    del said["config"]["sinks"], said["stats"]["norm_median"]
    file.write_text(json.dumps(said))
    older = AtomDictionary.load(tmp_path / "new")
    assert (older.config.sinks, older.sink_norm) == (None, None)
    assert torch.equal(older.atoms, dictionary.atoms)
