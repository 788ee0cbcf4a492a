"""Training that begins with the atoms of another dictionary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from itda_core.dictionaries import AtomDictionary, TrainConfig, train
from itda_core.errors import UserError
from tests.dictionaries.fake_model import FakeModel, fake_corpus
from tests.dictionaries.growing.test_paper import four_steps
from tests.dictionaries.growing.test_training import (
    activations,
    assert_same,
    assert_same_choice,
    finish,
    interrupted,
    only,
)
from tests.dictionaries.test_going_further import sequential
from tests.tolerance import on_clear_data

CONFIG = TrainConfig(k=4, threshold=0.2, context=12)


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


def consensus(model: FakeModel, layer: int = 1, atoms: int = 40, **settings: Any) -> AtomDictionary:
    """Atoms with several labels each."""
    config = TrainConfig(k=4, context=12, selection="consensus", atoms=atoms, **settings)
    return only(train(model, fake_corpus(), [layer], config))


@pytest.mark.parametrize("centre", [False, True])
def test_what_follows_is_judged_by_the_initial_atoms_too(
    tmp_path: Path, centre: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(seed: int) -> None:
        model = FakeModel(seed)
        initial = AtomDictionary.load(consensus(model, centre=centre).save_pretrained(tmp_path / f"initial-{seed}"))
        with monkeypatch.context() as patch:
            patch.setattr(
                "itda_core.dictionaries.growing.stream_statistics.MEAN_TOKENS", 100
            )  # which would give another mean
            dictionary = only(train(model, fake_corpus(), [1], replace(CONFIG, centre=centre), initial=[initial]))
        x = (activations(model, fake_corpus(), 1) - initial.mean).numpy()
        atoms, errors = sequential(x, list(initial.atoms.numpy()), 0.2)
        assert len(initial) == 40 < len(atoms) == len(dictionary)
        np.testing.assert_allclose(dictionary.atoms.numpy(), np.array(atoms), atol=1e-5)
        assert torch.equal(dictionary.atoms[:40], initial.atoms)
        assert torch.equal(dictionary.mean, initial.mean)
        n_labels = len(initial.provenance)
        assert n_labels > 40
        assert dictionary.provenance[:n_labels].equals(initial.provenance)
        added = dictionary.provenance[n_labels:]
        assert added["atom"].tolist() == added["order"].tolist() == list(range(40, len(dictionary)))
        np.testing.assert_allclose(added["error"], [error for error in errors if error > 0.2], atol=1e-5)
        assert dictionary.stats["mean_relative_error"] == pytest.approx(np.mean(errors), abs=1e-5)
        told = dictionary.stats["initial"]
        assert (told["name"], told["atoms"], told["selection"]) == (f"initial-{seed}", 40, "consensus")
        (stage,) = dictionary.stats["stages"]
        assert (stage["atoms_before"], stage["atoms_added"]) == (40, len(dictionary) - 40)

    on_clear_data(check)


@pytest.mark.parametrize("atoms", [10, 40])
def test_the_papers_rule_fills_up_and_goes_on_from_it(atoms: int) -> None:
    """Up to d_model = 16 in its first step, with none where there are as many already."""

    def check(seed: int) -> None:
        model = FakeModel(seed)
        initial = consensus(model, atoms=atoms)
        config = TrainConfig(k=4, context=12, selection="paper", threshold=0.005)
        dictionary = only(train(model, fake_corpus(), [1], config, initial=[initial]))
        sizes = [len(batch.tokens) for batch in batched(model)]
        batches = activations(model, fake_corpus(), 1).split(sizes)
        _, expected, relative = four_steps(batches, 4, 0.005, initial=initial.atoms.double().numpy())
        np.testing.assert_allclose(dictionary.atoms.numpy(), expected, atol=1e-5)
        assert len(dictionary) > max(16, atoms)
        assert dictionary.stats["mean_relative_error"] == pytest.approx(np.mean(relative), abs=1e-5)

    on_clear_data(check)


def batched(model: FakeModel) -> Any:
    from itda_core.text import windows

    read = windows(fake_corpus(), model.tokenizer, context=12)
    return model.stream(read, [model.site("resid_post", 1)])


@pytest.mark.parametrize(("selection", "threshold"), [("sequential", 0.2), ("paper", 0.005)])
def test_a_killed_run_goes_on_with_the_same_initial_only(
    model: FakeModel, tmp_path: Path, selection: str, threshold: float
) -> None:
    """Of two layers, one begins with none."""
    corpus, initial = fake_corpus(), [consensus(model)]
    config = replace(CONFIG, selection=selection, threshold=threshold)
    alone = finish(train(model, corpus, [0, 1], config, initial=initial)).dictionaries
    assert_same(alone[0], replaced_made(only(train(model, corpus, [0], config)), alone[0]))
    interrupted(model, corpus, config, tmp_path, 2, initial=initial)
    for other in ([], [consensus(model, seed=1)]):
        with pytest.raises(UserError, match="it had initial "):
            next(train(model, corpus, [0, 1], config, work=tmp_path, resume=True, initial=other))
    resumed = finish(train(model, corpus, [0, 1], config, work=tmp_path, resume=True, initial=initial)).dictionaries
    for a, b in zip(alone, resumed, strict=True):
        assert_same(a, b)


def replaced_made(dictionary: AtomDictionary, other: AtomDictionary) -> AtomDictionary:
    """The same, told to be of the run of `other`."""
    dictionary.stats["stream"] = {**dictionary.stats["stream"], "made": other.stats["stream"]["made"]}
    return dictionary


@pytest.mark.parametrize("way", ["checkpoint", "dictionaries"])
def test_it_goes_further_with_more_tokens(model: FakeModel, tmp_path: Path, way: str) -> None:
    corpus, initial = fake_corpus(), [consensus(model)]
    part, whole = replace(CONFIG, tokens=501), replace(CONFIG, tokens=1000)
    made = only(train(model, corpus, [1], part, initial=initial, work=tmp_path))
    source: dict[str, Any] = {"work": tmp_path, "resume": True} if way == "checkpoint" else {"extend": [made]}
    extended = only(train(model, corpus, [1], whole, initial=initial, **source))
    straight = only(train(model, corpus, [1], whole, initial=initial))
    assert_same_choice(extended, straight)
    assert [stage["atoms_before"] for stage in extended.stats["stages"]] == [40, len(made)]
    with pytest.raises(UserError, match="cannot be extended, because it had initial"):
        next(train(model, corpus, [1], whole, extend=[made]))


def test_a_text_that_adds_nothing_leaves_it_as_it_is(model: FakeModel) -> None:
    initial = consensus(model, atoms=200)
    dictionary = only(train(model, fake_corpus(), [1], replace(CONFIG, threshold=0.9), initial=[initial]))
    assert torch.equal(dictionary.atoms, initial.atoms)
    assert dictionary.provenance.equals(initial.provenance)


def test_wanted_atoms_count_the_initial_ones(model: FakeModel) -> None:
    initial = consensus(model)
    dictionary = only(train(model, fake_corpus(), [1], replace(CONFIG, atoms=50), initial=[initial]))
    assert len(dictionary) == 50
    with pytest.raises(UserError, match="has 40 atoms already, and atoms=40 are wanted"):
        train(model, fake_corpus(), [1], replace(CONFIG, atoms=40), initial=[initial])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"context": 13}, "had context 12 and not 13"),
        ({"windows": "first"}, "had windows all and not first"),
        ({"centre": True}, "had centre False and not True"),
        ({"selection": "sampled", "threshold": None, "atoms": 50}, "selection='sampled' chooses all of its atoms"),
    ],
)
def test_settings_that_do_not_fit(model: FakeModel, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        train(model, fake_corpus(), [1], replace(CONFIG, **settings), initial=[consensus(model)])


def test_dictionaries_that_do_not_fit(model: FakeModel) -> None:
    initial = consensus(model)

    def refused(said: str, initial: list[AtomDictionary], model: FakeModel = model, **spec: Any) -> None:
        for one in initial if spec else ():
            one.spec = replace(one.spec, **spec)
        with pytest.raises(UserError, match=said):
            train(model, fake_corpus(), [0, 1], CONFIG, initial=initial)

    refused("second initial dictionary of blocks.1", [initial, initial])
    stranger = FakeModel()
    stranger.fingerprint, stranger.tokenizer_fingerprint = "others", "another"
    refused("had model weights and not others; tokenizer tokenizer and not another", [initial], stranger)
    refused("is of none of the sites of this training", [consensus(model, layer=2)])
    refused("is of none of the sites", [consensus(model)], site="mlp_out")
    refused("had d_model 8 and not 16", [consensus(model)], d_model=8)
    refused("had corpus of another text", [consensus(model)], corpus_fingerprint="of another text")
