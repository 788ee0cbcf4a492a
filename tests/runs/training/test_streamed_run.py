"""Trainings of a model read from the disk block by block end as those of the model in memory do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from itda_core.dictionaries import AtomDictionary, TrainConfig
from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.models import loading as loading_module
from itda_core.models.loading import is_streamed
from itda_core.models.placement import Room
from itda_core.runs import Interrupted, TrainRequest, run, unfinished
from itda_core.runs.home import checkpoints_folder
from tests.runs.workers import PATIENCE


@pytest.fixture
def in_memory(tiny_folder: Path, corpus_file: Path, tmp_path: Path) -> TrainRequest:
    config = TrainConfig(k=3, tokens=2500, context=32)
    spec = ModelSpec(str(tiny_folder), device="cpu", placement="memory")
    return TrainRequest(spec, (0, 2), str(corpus_file), config, library=str(tmp_path / "in-memory"))


def streamed(request: TrainRequest, library: Path) -> TrainRequest:
    return replace(request, model=replace(request.model, placement="stream"), library=str(library))


def same(first: str, second: str) -> bool:
    """All but when it was made and how long that took."""
    one, two = AtomDictionary.load(first), AtomDictionary.load(second)
    timed = {"seconds", "tokens_per_second", "reading", "stages"}
    told = [{key: value for key, value in each.stats.items() if key not in timed} for each in (one, two)]
    return (
        torch.equal(one.atoms, two.atoms)
        and torch.equal(one.mean, two.mean)
        and one.provenance.equals(two.provenance)
        and one.spec == two.spec
        and one.config == two.config
        and told[0] == told[1]
    )


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(k=3, tokens=2500, context=32, centre=True),
        TrainConfig(k=3, context=32, windows="first"),
        TrainConfig(k=3, context=32, tokens=1500, selection="paper"),
        TrainConfig(k=3, context=32, tokens=1500, atoms=60, selection="consensus"),
    ],
    ids=["centred", "whole text", "paper", "consensus"],
)
@pytest.mark.parametrize("site", ["resid_post", "attn_out"])
def test_dictionaries_are_those_of_the_model_in_memory(
    in_memory: TrainRequest, config: TrainConfig, site: str, tmp_path: Path
) -> None:
    request = replace(in_memory, config=config, site=site)
    expected = run(request)
    notes: list[str] = []
    found = run(streamed(request, tmp_path / "streamed"), on_note=notes.append)
    assert [result.layer for result in found] == [0, 2]
    assert all(same(one.path, two.path) for one, two in zip(found, expected, strict=True))
    assert any("3 blocks were read from the disk" in note for note in notes)
    assert os.listdir(checkpoints_folder()) == []


def after(n_checks: int) -> Callable[[], bool]:
    asked = iter(range(1, 10_000))
    return lambda: next(asked) >= n_checks


def test_one_that_is_stopped_anywhere_goes_on_and_ends_the_same(in_memory: TrainRequest, tmp_path: Path) -> None:
    expected = run(in_memory)
    asked = 0

    def count() -> bool:
        nonlocal asked
        asked += 1
        return False

    run(streamed(in_memory, tmp_path / "counted"), should_stop=count)
    assert asked > 20
    for stop in range(1, asked, 9):
        request = streamed(in_memory, tmp_path / f"stopped-{stop}")
        with pytest.raises(Interrupted, match="what was done is kept"):
            run(request, should_stop=after(stop))
        steps: list[str] = []
        found = run(request, resume=True, on_step=steps.append)
        assert all(same(one.path, two.path) for one, two in zip(found, expected, strict=True))
        assert unfinished() == []


def test_one_that_is_killed_goes_on_and_ends_the_same(in_memory: TrainRequest, tmp_path: Path) -> None:
    """What a process that is killed leaves behind is its folder as it was at that moment."""
    expected = run(in_memory)
    request = streamed(in_memory, tmp_path / "streamed")
    left = tmp_path / "left"

    def kill() -> bool:
        if list(checkpoints_folder().glob("*/streamed/hidden-states/harvest.json")):
            shutil.copytree(checkpoints_folder(), left)
            return True
        return False

    with pytest.raises(Interrupted):
        run(request, should_stop=kill)
    shutil.rmtree(checkpoints_folder())
    left.rename(checkpoints_folder())
    found = run(request, resume=True)
    assert all(same(one.path, two.path) for one, two in zip(found, expected, strict=True))
    assert unfinished() == []


@pytest.mark.usefixtures("one_thread")
def test_one_whose_process_is_killed_goes_on_and_ends_the_same(
    in_memory: TrainRequest, tmp_path: Path, home: Path
) -> None:
    """At any moment once there is something to go on from, in the middle of whatever is being written."""
    expected = run(in_memory)
    request = streamed(in_memory, tmp_path / "streamed")
    process = subprocess.Popen(
        [sys.executable, "-m", "itda_core", "train", *request.arguments()],
        env={**os.environ, "ITDA_HOME": str(home), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[3],
    )
    until = time.monotonic() + PATIENCE
    while not list(checkpoints_folder().glob("*/streamed/hidden-states/harvest.json")):
        assert process.poll() is None, "the training ended before its first block was passed"
        assert time.monotonic() < until
        time.sleep(0.005)
    process.kill()
    process.wait()
    found = run(request, resume=True)
    assert all(same(one.path, two.path) for one, two in zip(found, expected, strict=True))


def test_going_further_streams_too(in_memory: TrainRequest, tmp_path: Path) -> None:
    library = tmp_path / "streamed"
    run(streamed(replace(in_memory, config=replace(in_memory.config, tokens=1000)), library))
    found = run(streamed(in_memory, library), resume=True)
    expected = run(in_memory)
    for one, two in zip(found, expected, strict=True):
        first, second = AtomDictionary.load(one.path), AtomDictionary.load(two.path)
        assert torch.equal(first.atoms, second.atoms)
        assert first.provenance.equals(second.provenance)
        assert len(first.stats["stages"]) == 2


def test_activations_can_be_kept(in_memory: TrainRequest, tmp_path: Path) -> None:
    run(streamed(replace(in_memory, keep_activations=True), tmp_path / "streamed"))
    notes: list[str] = []
    expected = run(in_memory, on_note=notes.append)
    assert any("Activations kept earlier are read" in note for note in notes)
    found = run(streamed(in_memory, tmp_path / "again"))
    assert all(same(one.path, two.path) for one, two in zip(found, expected, strict=True))


def test_a_disk_without_room_for_the_hidden_states_is_told_before_any_work(
    in_memory: TrainRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"hidden states of .* tokens take .* GB on the disk"):
        run(streamed(in_memory, tmp_path / "streamed"))


def test_what_fits_nowhere_is_streamed_unless_another_placement_is_asked_for(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = ModelSpec(str(tiny_folder), device="cpu")
    assert not is_streamed(spec)
    monkeypatch.setattr(loading_module, "room", lambda *_, **__: Room({}, 10_000))
    assert is_streamed(spec)
    assert is_streamed(replace(spec, placement="stream"))
    assert not is_streamed(replace(spec, placement="spread"))
    assert not is_streamed(replace(spec, placement="memory"))
