"""What surrounds a training: notes, work folders, interruption, a disk that is full while saving."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from itda_core.dictionaries import AtomDictionary, TrainConfig
from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.runs import Interrupted, Library, TrainRequest, run, unfinished
from itda_core.runs.training.run import TrainedDictionary


@pytest.fixture
def request_(tiny_folder: Path, corpus_file: Path) -> TrainRequest:
    config = TrainConfig(k=3, tokens=2500, context=32)
    return TrainRequest(ModelSpec(str(tiny_folder), device="cpu"), (0, 2), str(corpus_file), config)


def after(n_checks: int) -> Callable[[], bool]:
    """A wish to stop that comes at the n-th question."""
    asked = iter(range(1, 10_000))
    return lambda: next(asked) >= n_checks


def same(first: str, second: str) -> bool:
    """To the bit, on any processor: batches hold the same windows wherever a run stops, and all is in this process."""
    one, two = AtomDictionary.load(first), AtomDictionary.load(second)
    return torch.equal(one.atoms, two.atoms) and one.provenance.equals(two.provenance)


def test_interrupted_and_resumed_ends_as_if_left_alone(request_: TrainRequest, home: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    with pytest.raises(Interrupted) as caught:
        run(request_, should_stop=after(2), on_note=notes.append)
    assert 0 < caught.value.tokens < 2500
    assert "kept" in str(caught.value)
    (waiting,) = unfinished()
    assert waiting.request == request_.resolved()

    undisturbed = run(replace(request_, library=str(tmp_path / "other")), on_note=notes.append)
    assert notes == ["An unfinished run of the same training was found and left as it is; --resume would continue it."]
    assert [run.folder for run in unfinished()] == [waiting.folder]

    steps: list[str] = []
    seen: list[int] = []
    resumed = run(
        request_, resume=True, on_step=steps.append, on_progress=lambda progress: seen.append(progress.tokens)
    )
    assert seen[0] > caught.value.tokens
    assert steps == ["opening the corpus", "loading the model", "training", "saving"]
    assert len(resumed) == len(undisturbed) == 2
    assert all(same(one.path, two.path) for one, two in zip(resumed, undisturbed, strict=True))
    assert unfinished() == []
    assert os.listdir(home / "work") == []
    assert sorted(entry.name for entry in Library().entries() if not entry.bundled) == [
        "tiny-gpt2-L0-resid_post",
        "tiny-gpt2-L2-resid_post",
    ]


def test_resume_without_an_unfinished_run_begins_and_says_so(request_: TrainRequest) -> None:
    notes: list[str] = []
    results = run(replace(request_, layers=(1,)), resume=True, on_note=notes.append)
    assert notes == ["There is no unfinished run of this training; it starts from the beginning."]
    (result,) = results
    loaded = AtomDictionary.load(result.path)
    assert result == TrainedDictionary.of(loaded, Path(result.path))
    assert (result.layer, result.d_model, result.k, result.tokens) == (1, 32, 3, 2500)


def test_a_full_disk_while_saving_loses_nothing_and_saves_nothing_twice(
    request_: TrainRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = AtomDictionary.save_pretrained

    def full_at_layer_2(self: AtomDictionary, path: str | Path, **options: str) -> Path:
        if self.spec.layer == 2:
            raise UserError("The disk is full.")
        return real(self, path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(AtomDictionary, "save_pretrained", full_at_layer_2)
        with pytest.raises(UserError, match="disk is full"):
            run(request_, checkpoint_seconds=0)
    results = run(request_, resume=True)
    assert [result.layer for result in results] == [0, 2]
    assert sorted(entry.name for entry in Library().entries() if not entry.bundled) == [
        "tiny-gpt2-L0-resid_post",
        "tiny-gpt2-L2-resid_post",
    ]


def _own() -> list[str]:
    return sorted(entry.name for entry in Library().entries() if not entry.bundled)


class Killed(BaseException):
    """What a kill looks like from inside: nothing is tidied up behind it."""


def test_a_kill_between_the_rename_into_the_library_and_its_record_adds_nothing_twice(
    request_: TrainRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("itda_core.runs.training.checkpoint_folder.CheckpointFolder.record_saved", killed)
        with pytest.raises(Killed):
            run(request_, checkpoint_seconds=0)
    assert _own() == ["tiny-gpt2-L0-resid_post"]
    results = run(request_, resume=True)
    assert [result.layer for result in results] == [0, 2]
    assert _own() == ["tiny-gpt2-L0-resid_post", "tiny-gpt2-L2-resid_post"]
    assert len(run(request_)) == 2  # one that is not resumed is another run, and has dictionaries of its own
    assert len(_own()) == 4


@pytest.mark.parametrize("own_folder", [False, True])
def test_a_run_that_has_ended_adds_nothing_when_it_is_resumed(
    request_: TrainRequest, own_folder: bool, tmp_path: Path
) -> None:
    """A selection that cannot go further; own_folder: as a job's that was killed behind the removal of its work."""
    asked = replace(request_, config=TrainConfig(k=3, tokens=1000, context=32, selection="consensus", atoms=20))
    work: dict[str, Any] = {"work": tmp_path / "job" / "work"} if own_folder else {}
    first = run(asked, **work)
    if own_folder:
        assert not (tmp_path / "job" / "work").exists()
    notes: list[str] = []
    again = run(asked, resume=True, on_note=notes.append, **work)
    assert [result.path for result in again] == [result.path for result in first]
    assert notes == ["This training has ended already; its dictionaries are in the library."]
    assert len(_own()) == 2


@pytest.mark.parametrize("killed", [False, True])
def test_another_models_training_in_the_same_folder_has_dictionaries_of_its_own(
    request_: TrainRequest, killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    asked = replace(request_, config=TrainConfig(k=3, tokens=1000, context=32), layers=(0,))
    if killed:  # behind the record of what was saved
        monkeypatch.setattr("itda_core.runs.training.checkpoint_folder.CheckpointFolder.remove", lambda _: None)
    run(asked, work=work)
    other = replace(asked, model=replace(asked.model, name="demo:0"))
    (result,) = run(other, work=work, resume=not killed)
    assert result.model == "demo:0"
    assert AtomDictionary.load(Path(result.path)).spec.model == "demo:0"


def test_what_a_killed_run_left_of_its_record_is_not_taken_for_a_new_runs(request_: TrainRequest, home: Path) -> None:
    """Killed while its work folder was being removed: the record is the last that is left."""
    run(request_)
    key = request_.resolved().key()
    (home / "work" / key).mkdir(parents=True)
    record = [asdict(TrainedDictionary.of(AtomDictionary.load(path), path)) for path in Library().folders()]
    (home / "work" / key / "saved.json").write_text(json.dumps(record))
    run(request_)
    assert len(_own()) == 4


def test_a_work_folder_in_use_is_left_alone(request_: TrainRequest, home: Path, tmp_path: Path) -> None:
    """The same training started twice at once: the second works in a folder of its own."""
    inner: list[tuple[TrainedDictionary, ...]] = []

    def start_another(_: object) -> None:
        if not inner:
            inner.append(())
            inner[0] = run(replace(request_, library=str(tmp_path / "second")))

    def start_in_the_same_folder(_: object) -> None:
        run(request_, work=tmp_path / "w")

    outer = run(request_, on_progress=start_another)
    assert all(same(one.path, two.path) for one, two in zip(outer, inner[0], strict=True))
    with pytest.raises(UserError, match="Another process is working"):
        run(request_, work=tmp_path / "w", on_progress=start_in_the_same_folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": (4,)}, "no layer 4"),
        ({"corpus": "no/such.txt"}, "does not exist"),
        ({"site": "transformer.h.{layer}.nothing"}, "nothing"),
        ({"model": ModelSpec("./no-such-model")}, "no-such-model"),
        ({"config": TrainConfig(context=65)}, "context"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_kept(
    request_: TrainRequest, home: Path, change: dict, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        run(replace(request_, **change))
    assert [path for folder in ("work", "library") for path in (home / folder).glob("*")] == []
