"""Going on from a training that ended or stopped: more tokens, a lower threshold, more atoms; and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from itda_core.dictionaries import AtomDictionary, TrainConfig, train
from itda_core.errors import UserError
from itda_core.text import Corpus
from tests.dictionaries.fake_model import FakeModel, fake_corpus
from tests.dictionaries.growing.test_training import (
    activations,
    assert_same,
    assert_same_choice,
    finish,
    interrupted,
    only,
)
from tests.tolerance import assert_clear, rounding, strongest

CONFIG = TrainConfig(k=4, threshold=0.3, context=12)
LAYERS = [0, 1]

Further = Callable[[TrainConfig, TrainConfig], tuple[AtomDictionary, ...]]


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture(params=["checkpoint", "dictionaries", "saved dictionaries"])
def further(request: pytest.FixtureRequest, model: FakeModel, tmp_path: Path) -> Further:
    """`further(first, then)`: train as `first` to the end, then go on as `then`, from what is left of it."""

    def go(first: TrainConfig, then: TrainConfig, corpus: Corpus | None = None) -> tuple[AtomDictionary, ...]:
        corpus = corpus or fake_corpus()
        if request.param == "checkpoint":
            finish(train(model, corpus, LAYERS, first, work=tmp_path))
            return finish(train(model, corpus, LAYERS, then, work=tmp_path, resume=True)).dictionaries
        made = finish(train(model, corpus, LAYERS, first)).dictionaries
        if request.param == "saved dictionaries":
            number = len(os.listdir(tmp_path))
            made = [AtomDictionary.load(one.save_pretrained(tmp_path / f"{number}-{i}")) for i, one in enumerate(made)]
        return finish(train(model, corpus, LAYERS, then, extend=made)).dictionaries

    return go


def without_stages(dictionary: AtomDictionary) -> AtomDictionary:
    """The same, without what tells by which stages it came to be."""
    stats: dict[str, Any] = {name: value for name, value in dictionary.stats.items() if name != "stages"}
    return AtomDictionary(
        dictionary.atoms, dictionary.mean, dictionary.provenance, dictionary.spec, dictionary.config, stats
    )


@pytest.mark.parametrize("tokens", [160, 333, 900])
@pytest.mark.parametrize("settings", [{}, {"method": "omp"}])
def test_more_tokens_give_what_one_training_would_have_given(
    further: Further, model: FakeModel, tokens: int, settings: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "itda_core.dictionaries.growing.stream_statistics.NORM_TOKENS", 150
    )  # or the median is one of other tokens
    config = replace(CONFIG, **settings)
    extended = further(replace(config, tokens=tokens), replace(config, tokens=1000))
    straight = finish(train(model, fake_corpus(), LAYERS, replace(config, tokens=1000))).dictionaries
    for a, b in zip(extended, straight, strict=True):
        assert_same_choice(a, b)
        for name in ("mean_relative_error", "fvu"):  # sums in two parts, of 1,000 errors of which one may differ so
            assert a.stats[name] == pytest.approx(b.stats[name], abs=rounding(config.k) / 1000)
        for name in ("tokens", "windows", "special_tokens_left_out", "norm_median", "fvu_tokens", "passes"):
            assert a.stats[name] == b.stats[name]
        first, second = a.stats["stages"]
        assert (first["tokens"], first["tokens_read"], first["atoms_before"]) == (tokens, tokens, 0)
        assert (second["tokens"], second["tokens_read"], second["begun"]) == (1000, 1000 - tokens, tokens)
        assert first["atoms_added"] + second["atoms_added"] == len(a)
        assert [stage["tokens_read"] for stage in b.stats["stages"]] == [1000]
        assert a.config.tokens == 1000


def test_more_atoms_go_on_where_the_full_dictionary_stopped(model: FakeModel, tmp_path: Path) -> None:
    corpus = fake_corpus()
    small, large = replace(CONFIG, threshold=0.15, atoms=20), replace(CONFIG, threshold=0.15, atoms=60)
    first = only(train(model, corpus, [1], small, work=tmp_path))
    extended = only(train(model, corpus, [1], large, work=tmp_path, resume=True))
    assert torch.equal(extended.atoms[:20], first.atoms)
    assert_same(without_stages(extended), without_stages(only(train(model, corpus, [1], large))))
    assert [stage["atoms"] for stage in extended.stats["stages"]] == [20, 60]


def textbook_error(x: np.ndarray, atoms: np.ndarray, k: int) -> float:
    """Relative error of the unit vector x after at most k steps of matching pursuit."""
    residual, size = x.copy(), float(np.linalg.norm(x))
    for _ in range(min(k, len(atoms))):
        correlations = atoms @ residual
        best = strongest(correlations, size)
        size += abs(correlations[best])
        residual = residual - correlations[best] * atoms[best]
    return float(residual @ residual)


def sequential(x: np.ndarray, atoms: list[np.ndarray], threshold: float, k: int = 4) -> tuple[list[np.ndarray], list]:
    """One activation after the other, in NumPy; returns the atoms and the errors, none of them near the threshold."""
    errors = []
    for row in x:
        unit = row / np.linalg.norm(row)
        errors.append(textbook_error(unit, np.array(atoms), k) if atoms else 1.0)
        if errors[-1] > threshold:
            atoms = [*atoms, unit]
    assert_clear(errors, threshold)
    return atoms, errors


def test_a_lower_threshold_reads_the_same_tokens_again(further: Further, model: FakeModel) -> None:
    for tokens in (None, 500):
        first = replace(CONFIG, threshold=0.3, tokens=tokens)
        extended = further(first, replace(first, threshold=0.15))
        for layer, dictionary in zip(LAYERS, extended, strict=True):
            x = activations(model, fake_corpus(), layer).numpy()[:tokens]
            atoms, before = sequential(x, [], 0.3)
            n_first = len(atoms)
            atoms, after = sequential(x, atoms, 0.15)
            np.testing.assert_allclose(dictionary.atoms.numpy(), np.array(atoms), atol=1e-5)
            stats = dictionary.stats
            assert (stats["passes"], stats["tokens"]) == (2, 2 * len(x))
            assert stats["mean_relative_error"] == pytest.approx(np.mean([*before, *after]), abs=1e-5)
            assert stats["special_tokens_left_out"] == stats["windows"] == (120 if tokens is None else 64)
            assert [stage["threshold"] for stage in stats["stages"]] == [0.3, 0.15]
            assert [stage["atoms_added"] for stage in stats["stages"]] == [n_first, len(atoms) - n_first]
            assert dictionary.config.threshold == 0.15


def test_a_lower_threshold_with_more_tokens_goes_on(further: Further, model: FakeModel) -> None:
    extended = further(replace(CONFIG, tokens=500), replace(CONFIG, tokens=900, threshold=0.1))
    x = activations(model, fake_corpus(), 1).numpy()
    atoms, _ = sequential(x[:500], [], 0.3)
    atoms, _ = sequential(x[500:900], atoms, 0.1)
    np.testing.assert_allclose(extended[1].atoms.numpy(), np.array(atoms), atol=1e-5)
    assert (extended[1].stats["passes"], extended[1].stats["tokens"]) == (1, 900)


def test_what_is_held_out_was_read_in_no_pass(further: Further, model: FakeModel) -> None:
    (dictionary, _) = further(replace(CONFIG, tokens=600), replace(CONFIG, tokens=600, threshold=0.15))
    stats = dictionary.stats
    read = activations(model, fake_corpus(), 0)
    held = read[640:]  # the 64 windows that were begun hold 640 tokens
    assert (stats["fvu_text"], stats["fvu_tokens"]) == ("held-out", len(held))
    x_hat = dictionary.decode(dictionary.encode(held))
    fvu = (held - x_hat).square().sum() / (held - held.mean(dim=0)).square().sum()
    assert stats["fvu"] == pytest.approx(float(fvu), rel=1e-4)


def test_nothing_left_to_do_leaves_it_as_it_is(further: Further, model: FakeModel) -> None:
    whole = finish(train(model, fake_corpus(), LAYERS, CONFIG)).dictionaries
    for first, then in (
        (CONFIG, CONFIG),
        (replace(CONFIG, tokens=10**6), CONFIG),
        (CONFIG, replace(CONFIG, atoms=None)),
    ):
        for a, b in zip(further(first, then), whole, strict=True):
            assert torch.equal(a.atoms, b.atoms)
            assert a.stats["tokens"] == b.stats["tokens"]
            assert a.stats["passes"] == 1


@pytest.mark.parametrize("centre", [False, True])
def test_the_papers_rule_begins_a_new_batch(model: FakeModel, tmp_path: Path, centre: bool) -> None:
    paper = TrainConfig(k=4, context=12, selection="paper", threshold=0.005, tokens=500, centre=centre)
    corpus = fake_corpus()
    first = only(train(model, corpus, [1], paper, work=tmp_path))
    extended = only(train(model, corpus, [1], replace(paper, tokens=1000), work=tmp_path, resume=True))
    from_itself = only(train(model, corpus, [1], replace(paper, tokens=1000), extend=[first]))
    assert torch.equal(extended.atoms[: len(first)], first.atoms)
    assert_same(extended, from_itself)
    assert extended.stats["tokens"] == 1000


def test_the_papers_rule_of_before_is_not_gone_on_with(model: FakeModel, tmp_path: Path) -> None:
    paper = TrainConfig(k=4, context=12, selection="paper", threshold=0.005, tokens=300)
    first = only(train(model, fake_corpus(), [1], paper, work=tmp_path))
    assert first.stats["stream"]["made"].pop("paper rule") == 2
    forget(tmp_path, "paper rule")
    more = replace(paper, tokens=600)
    ways: list[dict[str, Any]] = [{"work": tmp_path, "resume": True}, {"extend": [first]}]
    for given in ways:
        with pytest.raises(UserError, match=r"had paper rule 1 and not 2; .*start anew"):
            finish(train(model, fake_corpus(), [1], more, **given))
    sequential = only(train(model, fake_corpus(), [1], replace(CONFIG, tokens=300)))
    assert "paper rule" not in sequential.stats["stream"]["made"]


def forget(work: Path, name: str) -> None:
    """Make the checkpoint in `work` one of an earlier version, whose identity did not tell `name`."""
    (state,) = work.glob("checkpoint-*/state.json")
    said = json.loads(state.read_text())
    del said["sha256"], said["identity"][name]
    state.write_text(json.dumps(said))


@pytest.mark.parametrize("batches", [1, 4, 9])
@pytest.mark.parametrize(
    "then", [{"tokens": 1000}, {"threshold": 0.15}, {"threshold": 0.15, "tokens": None}, {"atoms": 70, "tokens": 1100}]
)
def test_a_kill_while_going_on_changes_nothing(model: FakeModel, tmp_path: Path, then: dict, batches: int) -> None:
    corpus, first = fake_corpus(), replace(CONFIG, tokens=501, atoms=60)
    later = replace(first, **then)
    if "atoms" not in then:
        later = replace(later, atoms=None)
    finish(train(model, corpus, LAYERS, first, work=tmp_path / "a"))
    undisturbed = finish(train(model, corpus, LAYERS, later, work=tmp_path / "a", resume=True)).dictionaries
    made = finish(train(model, corpus, LAYERS, first, work=tmp_path / "b")).dictionaries
    events = train(model, corpus, LAYERS, later, work=tmp_path / "b", resume=True, checkpoint_seconds=0)
    for _, _ in zip(range(batches), events, strict=False):
        pass
    (kept,) = (tmp_path / "b").iterdir()
    os.rename(kept, tmp_path / "kept")  # what the process would write when it is closed is lost with a kill
    events.close()
    for path in (tmp_path / "b").iterdir():
        path.rename(tmp_path / path.name)
    os.rename(tmp_path / "kept", kept)
    resumed = finish(train(model, corpus, LAYERS, later, work=tmp_path / "b", resume=True)).dictionaries
    from_itself = finish(train(model, corpus, LAYERS, later, extend=made)).dictionaries
    for a, b, c in zip(undisturbed, resumed, from_itself, strict=True):
        assert_same(a, b)
        assert_same(a, c)


def test_an_unfinished_run_goes_on_under_the_new_threshold(model: FakeModel, tmp_path: Path) -> None:
    corpus = fake_corpus()
    interrupted(model, corpus, CONFIG, tmp_path, 3)  # 48 windows: 480 tokens
    dictionary = finish(
        train(model, corpus, LAYERS, replace(CONFIG, threshold=0.15), work=tmp_path, resume=True)
    ).dictionaries[0]
    x = activations(model, corpus, 0).numpy()
    atoms, _ = sequential(x[:480], [], 0.3)
    atoms, _ = sequential(x[480:], atoms, 0.15)
    np.testing.assert_allclose(dictionary.atoms.numpy(), np.array(atoms), atol=1e-5)
    assert dictionary.stats["passes"] == 1


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ({"threshold": 0.4}, r"had threshold 0\.3 and not 0\.4"),
        ({"tokens": 300}, "had tokens 500 and not 300"),
        ({"atoms": 10}, "had atoms None and not 10"),
        ({"k": 5}, "had k 4 and not 5"),
        ({"sinks": None}, r"had sinks 10\.0 and not None"),
        ({"seed": 1, "tokens": 900}, "had seed 0 and not 1"),
        ({"centre": True}, "had centre False and not True"),
    ],
)
def test_anything_else_is_refused(further: Further, then: dict, said: str) -> None:
    config = replace(CONFIG, tokens=500)
    with pytest.raises(UserError, match=said):
        further(config, replace(config, **then))


def test_only_the_dictionaries_of_one_run_of_this_training(model: FakeModel) -> None:
    corpus, config = fake_corpus(), replace(CONFIG, tokens=500)
    more = replace(config, tokens=900)
    (made, other) = (
        finish(train(model, corpus, LAYERS, c)).dictionaries for c in (config, replace(config, tokens=400))
    )
    with pytest.raises(UserError, match="stopped at different places"):
        list(train(model, corpus, LAYERS, more, extend=[made[0], other[1]]))
    with pytest.raises(UserError, match="site resid_post of layer 1"):
        list(train(model, corpus, LAYERS, more, extend=made[::-1]))
    with pytest.raises(UserError, match="had corpus "):
        list(train(model, fake_corpus(seed=1), LAYERS, more, extend=made))
    stranger = FakeModel()
    stranger.fingerprint = "other weights"
    with pytest.raises(UserError, match="had model weights and not other weights"):
        list(train(stranger, corpus, LAYERS, more, extend=made))
    del made[1].stats["stream"]
    with pytest.raises(UserError, match="does not say where its training stopped"):
        list(train(model, corpus, LAYERS, more, extend=made))
