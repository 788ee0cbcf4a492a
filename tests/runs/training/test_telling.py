"""What a training tells while it runs: the time of the whole, the end of its text, what is saved."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from itda_core.dictionaries import LayerProgress, TrainConfig, TrainProgress
from itda_core.dictionaries.training_stage import TrainingStage
from itda_core.models import ModelSpec
from itda_core.runs import Interrupted, TrainRequest, run
from itda_core.runs.costs.choosing import choosing_cost
from itda_core.runs.costs.machines import operations_per_second
from itda_core.runs.machine import machine
from itda_core.runs.training import telling
from itda_core.runs.training.reports import Reports
from itda_core.runs.training.telling import BlockTimes, Teller

LAYER = LayerProgress("resid_post", 2, 0, 1.0, 0.0, ())
READING = TrainProgress(300, 1000, 3.0, 100.0, 7.0, (LAYER,), later=40.0)
GROWN = TrainConfig(k=3, tokens=1000, context=32)
CHOSEN = TrainConfig(k=3, tokens=1000, context=32, selection="consensus", atoms=20)


def teller(config: TrainConfig, **reports: Any) -> Teller:
    return Teller(Reports(**reports), config, 2, 32, "cpu")


def test_the_time_left_is_that_of_the_whole() -> None:
    seen: list[TrainProgress] = []
    teller(GROWN, on_progress=seen.append).tell(READING)
    assert (seen[-1].eta, seen[-1].rough) == (47.0, False)
    teller(CHOSEN, on_progress=seen.append).tell(READING)
    _, fast = operations_per_second(machine(), "cpu")
    guess = choosing_cost(CHOSEN, 32, 2, 20, 1000).operations / fast
    assert guess > 0
    assert (seen[-1].eta, seen[-1].rough) == (pytest.approx(47.0 + guess), True)
    choosing = replace(READING, at=TrainingStage("choosing", 9, 64, 2, 1, 2), eta=5.0, later=2.0, rough=True)
    teller(CHOSEN, on_progress=seen.append).tell(choosing)
    assert (seen[-1].eta, seen[-1].rough) == (7.0, True)  # nothing is guessed that was timed
    begun = replace(choosing, at=TrainingStage("choosing", 0, 64, 2, 2, 2), eta=None)
    teller(CHOSEN, on_progress=seen.append).tell(begun)  # the second layer of two: half of it
    assert (seen[-1].eta, seen[-1].rough) == (pytest.approx(guess / 2), True)
    teller(CHOSEN, on_progress=seen.append).tell(replace(READING, eta=None))
    assert seen[-1].eta is None


def test_a_text_that_ended_early_is_told_once() -> None:
    notes: list[str] = []
    tells = teller(GROWN, on_note=notes.append)
    tells.tell(READING)
    assert notes == []
    for _ in range(2):
        tells.tell(replace(READING, text_ended=True))
    assert notes == ["The text ended after 300 of 1,000 tokens."]
    again = teller(GROWN, on_note=notes.append)
    again.tell(replace(READING, tokens=2300, total=3000, text_ended=True))  # read for the third time
    assert notes[-1] == "The text ended after 300 of 1,000 tokens."


def test_dictionaries_that_are_full_are_told_once() -> None:
    notes: list[str] = []
    full = replace(READING, layers=(replace(LAYER, atoms=1300),), full=True)
    for config, total, said in ((GROWN, 1000, "300 of 1,000"), (replace(GROWN, tokens=None), None, "300")):
        notes.clear()
        tells = teller(config, on_note=notes.append)
        tells.tell(replace(full, full=False))
        assert notes == []
        for _ in range(2):
            tells.tell(replace(full, total=total))
        assert notes == [
            f"The dictionary of layer 2 was full (1,300 atoms) after {said} tokens; the rest of the text was not read."
        ]
    tells.tell(replace(full, at=TrainingStage("measuring", 0, 1, 5, 2, 2), layers=(replace(LAYER, layer=5, atoms=9),)))
    assert notes[1].startswith("The dictionary of layer 5 was full (9 atoms) after 300 tokens")
    for others, said in (((3, 4, 7), "The dictionaries of layers 2-4,7"), ((None,), "All dictionaries")):
        together = (*full.layers, *(replace(full.layers[0], layer=layer) for layer in others))
        teller(GROWN, on_note=notes.append).tell(replace(full, layers=together))
        assert notes[-1].startswith(f"{said} were full (1,300 atoms each) after 300 of 1,000 tokens")
    teller(GROWN, on_note=notes.append).tell(replace(full, layers=(replace(full.layers[0], layer=None),)))
    assert notes[-1].startswith("The dictionary was full (1,300 atoms)")


def test_a_run_says_that_its_dictionary_is_full_and_not_that_the_text_ended(request_: TrainRequest) -> None:
    config = TrainConfig(k=3, tokens=600, context=32, threshold=0.05, atoms=20, centre=True)
    seen: list[TrainProgress] = []
    notes: list[str] = []
    (trained,) = run(replace(request_, config=config, layers=(0,)), on_progress=seen.append, on_note=notes.append)
    assert trained.atoms == 20
    assert trained.tokens < 600
    assert notes[-1] == (
        f"The dictionary of layer 0 was full (20 atoms) after {trained.tokens} of 600 tokens; the rest of the text was "
        "not read."
    )
    ended = [progress for progress in seen if progress.done]
    assert [progress.tokens_per_second for progress in ended] == [trained.tokens_per_second]


def test_blocks_and_dictionaries_are_timed_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(telling.time, "monotonic", lambda: now[0])
    times = BlockTimes(2)
    times.passed(4.0)
    assert times.left() is None
    now[0] = 10.0
    times.passed(3.5)
    assert times.left() == pytest.approx(3.5 * 20)
    assert times.left(growing=6.0) == pytest.approx(70 + 6)  # the other dictionary will take as long
    now[0] = 110.0  # a dictionary was grown meanwhile
    times.grown(100.0)
    assert times.left() == pytest.approx(70 + 100)
    now[0] = 120.0
    times.passed(3.0)
    assert times.left() == pytest.approx(3 * 20 + 100)
    assert times.left(growing=50.0) == pytest.approx(60)  # the last is at hand


@pytest.fixture
def request_(tiny_folder: Path, corpus_file: Path) -> TrainRequest:
    return TrainRequest(ModelSpec(str(tiny_folder), device="cpu"), (0, 2), str(corpus_file), CHOSEN)


def names(seen: list[TrainProgress]) -> list[str]:
    return [name for name, _ in groupby(progress.stage.name for progress in seen)]


def test_a_run_tells_every_stage_to_the_end(request_: TrainRequest) -> None:
    seen: list[TrainProgress] = []
    run(request_, on_progress=seen.append)
    assert names(seen) == [
        *("ahead", "reading", "choosing", "labelling", "choosing", "labelling", "held-out", "measuring", "saving")
    ]
    saving = [progress.stage for progress in seen if progress.stage.name == "saving"]
    assert [(stage.done, stage.total, stage.layer, stage.number) for stage in saving] == [(0, 2, 0, 1), (1, 2, 2, 2)]
    assert all(progress.rough for progress in seen if progress.stage.name == "reading")


def test_a_run_can_be_stopped_in_every_stage_and_tells_of_a_short_text(request_: TrainRequest) -> None:
    asked = replace(request_, config=replace(CHOSEN, tokens=1_000_000))
    for stage in ("reading", "choosing", "labelling", "held-out", "measuring"):
        seen: list[TrainProgress] = []
        with pytest.raises(Interrupted):
            run(asked, on_progress=seen.append, should_stop=lambda s=stage, t=seen: bool(t) and t[-1].stage.name == s)
        assert seen[-1].stage.name == stage
        notes: list[str] = []
        seen = []
        run(asked, resume=True, on_progress=seen.append, on_note=notes.append)
        assert [note for note in notes if note.startswith("The text ended")] == [
            f"The text ended after {seen[-1].tokens:,} of 1,000,000 tokens."
        ]


def test_a_streamed_run_counts_blocks_and_dictionaries(request_: TrainRequest, tmp_path: Path) -> None:
    model = replace(request_.model, placement="stream")
    seen: list[TrainProgress] = []
    run(replace(request_, model=model, library=str(tmp_path / "library")), on_progress=seen.append)
    assert names(seen)[:3] == ["passing", "ahead", "reading"]
    grown = [progress for progress in seen if progress.stage.name == "choosing"]
    assert {(one.stage.layer, one.stage.number, one.stage.of) for one in grown} == {(0, 1, 2), (2, 2, 2)}
    seconds = [progress.seconds for progress in seen]
    assert seconds == sorted(seconds)
