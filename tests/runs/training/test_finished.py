"""`--resume` with more tokens, a lower threshold or more atoms: from unfinished runs and from finished dictionaries."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from itda_core.dictionaries import AtomDictionary, TrainConfig
from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.models.activation_cache.shards import sets
from itda_core.runs import Interrupted, Library, TrainRequest, estimate, run, unfinished
from itda_core.runs.home import activations_folder
from itda_core.runs.training.run import TrainedDictionary

REST = "the rest of the text was not read."
NONE = "There is no unfinished run of this training; it starts from the beginning."


@pytest.fixture
def request_(tiny_folder: Path, corpus_file: Path) -> TrainRequest:
    config = TrainConfig(k=3, tokens=2200, context=32)
    return TrainRequest(ModelSpec(str(tiny_folder), device="cpu"), (0, 2), str(corpus_file), config)


def asking(request: TrainRequest, **config: object) -> TrainRequest:
    return replace(request, config=TrainConfig.from_dict({**request.config.to_dict(), **config}))


def after(n_checks: int) -> Callable[[], bool]:
    asked = iter(range(1, 10_000))
    return lambda: next(asked) >= n_checks


def loaded(results: tuple[TrainedDictionary, ...]) -> list[AtomDictionary]:
    return [AtomDictionary.load(result.path) for result in results]


def assert_same(one: tuple[TrainedDictionary, ...], two: tuple[TrainedDictionary, ...]) -> None:
    """To the bit, on any processor: batches hold the same windows wherever a run stops, and all is in this process."""
    for a, b in zip(loaded(one), loaded(two), strict=True):
        assert torch.equal(a.atoms, b.atoms)
        assert a.provenance.equals(b.provenance)
        assert a.config == b.config


def test_finished_dictionaries_are_extended_and_stay(request_: TrainRequest, tmp_path: Path) -> None:
    short, notes = asking(request_, tokens=2100), []
    first = run(short)
    extended = run(request_, resume=True, on_note=notes.append)
    assert notes == ["Going on from tiny-gpt2-L0-resid_post, tiny-gpt2-L2-resid_post, 2,100 tokens into the training."]
    assert_same(extended, run(replace(request_, library=str(tmp_path / "other"))))
    assert {result.path for result in first}.isdisjoint(result.path for result in extended)
    assert [len(one) for one in loaded(first)] == [result.atoms for result in first]
    assert [stage["tokens_read"] for stage in loaded(extended)[0].stats["stages"]] == [2100, 100]
    assert unfinished() == []

    notes.clear()
    again = run(request_, resume=True, on_note=notes.append)
    assert again == extended
    assert notes == ["This training has ended already; its dictionaries are in the library."]


def test_dictionaries_of_an_earlier_rule_are_not_extended(
    request_: TrainRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper, notes = asking(request_, selection="paper", threshold=0.005, tokens=300), []
    run(paper)
    monkeypatch.setattr("itda_core.dictionaries.growing.paper.RULE", 99)
    run(asking(paper, tokens=400), resume=True, on_note=notes.append)
    assert NONE in notes


def test_the_run_that_read_most_is_taken(request_: TrainRequest) -> None:
    for tokens in (500, 1500, 1000):
        run(asking(request_, tokens=tokens))
    run(asking(request_, tokens=1800, threshold=0.2))  # lower than what is asked for below
    run(replace(asking(request_, tokens=1900), layers=(0,)))  # not both layers
    notes: list[str] = []
    (result, _) = run(request_, resume=True, on_note=notes.append)
    assert "1,500 tokens into the training" in notes[0]
    assert [stage["tokens_read"] for stage in AtomDictionary.load(result.path).stats["stages"]] == [1500, 700]


@pytest.mark.parametrize(
    "config", [{"tokens": 1000}, {"threshold": 0.5}, {"atoms": 5}, {"k": 4, "tokens": 3000}, {"sinks": None}]
)
def test_what_would_undo_something_begins_anew(request_: TrainRequest, config: dict) -> None:
    run(request_)
    notes: list[str] = []
    results = run(asking(request_, **config), resume=True, on_note=notes.append)
    full = [f"The dictionaries of layers 0,2 were full (5 atoms each) after 5 of 2,200 tokens; {REST}"]
    assert notes == [NONE, *(full if "atoms" in config else [])]
    assert len(loaded(results)[0].stats["stages"]) == 1


def test_full_dictionaries_go_on_with_more_atoms_alone(request_: TrainRequest) -> None:
    full = asking(request_, atoms=5)
    kept = run(full)
    for more in ({"tokens": 3000}, {"threshold": 0.1}):
        with pytest.raises(UserError, match="has its 5 atoms, so no more text would be read; ask for more atoms"):
            run(asking(full, **more), resume=True)
    assert run(full, resume=True) == kept
    assert [result.atoms for result in run(asking(full, atoms=6), resume=True)] == [6, 6]


def test_an_unfinished_run_goes_on_with_more(request_: TrainRequest, tmp_path: Path, home: Path) -> None:
    with pytest.raises(Interrupted):
        run(asking(request_, tokens=2100), should_stop=after(1))
    later, notes = asking(request_, threshold=0.2, tokens=2400), []
    with pytest.raises(Interrupted):
        run(later, resume=True, should_stop=after(1), on_note=notes.append)
    (waiting,) = unfinished()
    assert waiting.request == later.resolved()
    resumed = run(later, resume=True, on_note=notes.append)
    assert notes == []
    assert [stage["threshold"] for stage in loaded(resumed)[0].stats["stages"]] == [0.3, 0.2]
    assert list((home / "work").iterdir()) == []

    with pytest.raises(Interrupted):
        run(asking(request_, tokens=2100), should_stop=after(1))
    undisturbed = run(replace(later, library=str(tmp_path / "other")), resume=True)
    assert_same(resumed, undisturbed)


def test_a_run_of_its_own_comes_before_one_that_leads_to_it(request_: TrainRequest) -> None:
    for tokens in (2200, 2150):
        with pytest.raises(Interrupted):
            run(asking(request_, tokens=tokens), should_stop=after(1))
    results = run(request_, resume=True)
    assert len(loaded(results)[0].stats["stages"]) == 1
    assert [waiting.request.config.tokens for waiting in unfinished()] == [2150]


def test_an_interrupted_extension_ends_as_an_undisturbed_one(request_: TrainRequest, tmp_path: Path) -> None:
    run(asking(request_, tokens=1000))
    lower = asking(request_, tokens=1000, threshold=0.2)
    with pytest.raises(Interrupted):
        run(lower, resume=True, should_stop=after(1))
    resumed = run(lower, resume=True)
    library = tmp_path / "other"
    run(replace(asking(request_, tokens=1000), library=str(library)))
    undisturbed = run(replace(lower, library=str(library)), resume=True)
    assert_same(resumed, undisturbed)
    assert loaded(resumed)[0].stats["passes"] == 2


def test_dictionaries_of_an_earlier_version_are_left_alone(request_: TrainRequest) -> None:
    import json

    for result in run(asking(request_, tokens=1000)):
        file = Path(result.path) / "dictionary.json"
        said = json.loads(file.read_text())
        del said["stats"]["stream"], said["config"]["sinks"]
        file.write_text(json.dumps(said))
    notes: list[str] = []
    run(request_, resume=True, on_note=notes.append)
    assert notes == [NONE]


def test_kept_activations_serve_the_next_training(
    request_: TrainRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = run(request_)
    kept = run(replace(request_, keep_activations=True))
    assert_same(plain, kept)
    (found,) = sets(activations_folder())
    assert found.tokens >= 2200
    lower = asking(request_, threshold=0.2)
    expected = run(replace(lower, library=str(tmp_path / "other")))
    from itda_core.models import LanguageModel

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the model was run")

    monkeypatch.setattr(LanguageModel, "stream", refuse)
    notes: list[str] = []
    with pytest.raises(AssertionError, match="the model was run"):
        run(replace(lower, config=replace(lower.config, context=31)))
    assert [len(one) for one in loaded(run(replace(lower, layers=(2,)), on_note=notes.append))] == [expected[1].atoms]
    assert notes == [f"Activations kept earlier are read: {found.tokens:,} tokens."]


def test_activations_that_do_not_fit_are_refused_before_any_work(
    request_: TrainRequest, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(sys.modules["itda_core.runs.costs.training"], "disk_free", lambda _: 500_000)
    big = replace(request_, keep_activations=True)
    guess = estimate(big)
    assert guess.activations == 2200 * 2 * 32 * 4
    assert guess.fits_disk() is False
    with pytest.raises(UserError, match=r"takes about 563 kB, and 500 kB are free .* do not keep them"):
        run(big)
    assert not activations_folder().exists()
    assert not Library().folder.exists() or list(Library().folder.iterdir()) == []
    guess = estimate(request_)
    assert (guess.activations, guess.fits_disk()) == (0, True)
    unknown = replace(big, model=ModelSpec("nobody/nothing-such"))
    assert estimate(unknown).fits_disk() is None
