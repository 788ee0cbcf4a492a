"""How far a training is: each stage has a name, is counted from its own work, and never goes back."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from itda_core.dictionaries import TrainConfig, TrainProgress
from itda_core.dictionaries.choosing import pace as pace_module
from itda_core.dictionaries.choosing.learning import DRAWS, STEPS, round_work
from itda_core.dictionaries.choosing.pace import Pace, WorkLeft
from itda_core.dictionaries.growing.progress import ReadingPace
from itda_core.dictionaries.growing.training import train_and_tell
from tests.dictionaries.fake_model import FakeModel, fake_corpus
from tests.dictionaries.growing.test_training import assert_same

SEQUENTIAL = TrainConfig(k=4, threshold=0.15, context=12, tokens=600)
SIZED = [TrainConfig(k=4, context=12, selection=name, atoms=90, tokens=600) for name in ("sampled", "consensus")]


def told(config: TrainConfig, tell: Any = None, **more: Any) -> list[TrainProgress]:
    """All that a training of two layers tells, in the order in which it is told."""
    seen: list[TrainProgress] = []

    def listen(progress: TrainProgress) -> None:
        seen.append(progress)
        if tell is not None:
            tell(progress)

    how = {"site": "resid_post", "work": None, "checkpoint_seconds": 0.0, "resume": False, "extend": (), "initial": ()}
    for progress in train_and_tell(FakeModel(), fake_corpus(), [0, 2], config, listen, **{**how, **more}):
        seen.append(progress)
    return seen


def parts(seen: list[TrainProgress]) -> list[tuple[str, int, list[TrainProgress]]]:
    """Each stage of each dictionary with what was told in it."""
    return [(*key, list(group)) for key, group in groupby(seen, lambda one: (one.stage.name, one.stage.number))]


@pytest.mark.parametrize("config", [SEQUENTIAL, *SIZED], ids=lambda config: config.selection)
def test_every_stage_is_counted_from_its_own_work(config: TrainConfig) -> None:
    seen = told(config)
    found = parts(seen[:-1])
    chosen = [("choosing", 1), ("labelling", 1), ("choosing", 2), ("labelling", 2)] if config.rule.sized else []
    assert [(name, number) for name, number, _ in found] == [
        *(("ahead", 1), ("reading", 1), *chosen, ("held-out", 1), ("measuring", 1), ("measuring", 2))
    ]
    for name, number, group in found:
        done = [progress.stage.done for progress in group]
        assert done == sorted(done)
        assert len({progress.stage.total for progress in group}) == 1
        assert all(0 <= (progress.stage.share or 0) <= 1 for progress in group)
        assert all(
            progress.stage.layer == (0, 2)[number - 1] for progress in group if name in ("choosing", "labelling")
        )
        if name == "reading":
            assert done == [progress.tokens for progress in group]
        if name == "choosing":
            assert done == list(range(STEPS + 1))  # beside the rounds, that the first begins
        if name in ("reading", "choosing", "labelling"):
            assert done[-1] == group[0].stage.total
    labels = [group[-1].stage.done for name, _, group in found if name == "labelling"]
    assert labels == [len(one.provenance) for one in seen[-1].dictionaries if config.rule.sized]
    assert [group[0].stage.done for name, _, group in found if name == "measuring"] == [0, 1]
    assert seen[-1].done
    assert not any(progress.text_ended for progress in seen)


@pytest.mark.parametrize("config", SIZED, ids=lambda config: config.selection)
def test_the_time_left_ends_with_each_stage_and_counts_those_to_come(config: TrainConfig) -> None:
    seen = told(config)
    for name, _, group in parts(seen[:-1]):
        etas = [progress.eta for progress in group]
        assert all(eta is None or eta >= 0 for eta in etas)
        if name in ("reading", "held-out"):
            assert etas[-1] is not None
        if name in ("choosing", "labelling"):
            assert all(progress.later > 0 for progress in group[1:])
    choosing = [progress for progress in seen if progress.stage.name == "choosing"]
    assert choosing[1].rough
    assert not choosing[-1].rough
    assert choosing[-1].eta == pytest.approx(0)


@pytest.mark.parametrize(("tokens", "ended"), [(100_000, True), (None, False), (1000, False)])
def test_it_is_told_when_the_text_was_shorter_than_asked_for(tokens: int | None, ended: bool) -> None:
    seen = told(TrainConfig(k=4, threshold=0.15, context=12, tokens=tokens))
    assert seen[-1].text_ended == ended
    assert not any(progress.text_ended for progress in seen if progress.at is None and not progress.done)
    full = told(TrainConfig(k=4, threshold=0.15, context=12, tokens=100_000, atoms=30))
    assert not full[-1].text_ended  # it was the dictionaries that were full
    assert full[-1].full
    assert not any(progress.full for progress in full if progress.at is None)
    assert not any(progress.full for progress in seen)
    read = [progress for progress in full if progress.at is None]
    assert full[-1].dictionaries[0].stats["tokens_per_second"] == full[-1].tokens_per_second
    assert read[-1].tokens < 100_000


def test_tokens_looked_at_ahead_count_for_the_time_left_alone() -> None:
    pace = ReadingPace()
    assert (pace.shown, pace.reckoned) == (0.0, 0.0)
    pace.looked_ahead(5000, 25.0)
    assert (pace.shown, pace.reckoned) == (200.0, 200.0)
    pace.judged(507, 31.0)
    assert (pace.shown, pace.reckoned) == (507 / 31, 5000 / 31)
    assert pace.steady == {"tokens": 0, "seconds": 0.0}  # all were looked at while it was prepared
    for tokens, seconds in ((5100, 40.0), (8000, 42.0), (25_100, 50.0)):
        pace.judged(tokens, seconds)
    assert (pace.shown, pace.reckoned) == (502.0, 502.0)
    assert pace.steady == {"tokens": 20_000, "seconds": 10.0}


def test_a_dictionary_keeps_how_fast_text_was_read_once_all_was_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itda_core.dictionaries.growing.stream_statistics.NORM_TOKENS", 200)
    seen = told(SEQUENTIAL)
    read = [progress for progress in seen if progress.at is None]
    ahead = max(progress.stage.done for progress in seen if progress.stage.name == "ahead")
    first, stats = next(one for one in read if one.tokens >= ahead), seen[-1].dictionaries[0].stats
    assert stats["reading"]["tokens"] == 600 - first.tokens > 0
    assert stats["reading"]["seconds"] == pytest.approx(stats["seconds"] - first.seconds)


class Stop(Exception):
    pass


@pytest.mark.parametrize("stage", ["ahead", "labelling", "held-out", "measuring"])
def test_a_training_that_is_stopped_between_its_progresses_keeps_its_state(stage: str, tmp_path: Path) -> None:
    undisturbed = told(SIZED[1])[-1].dictionaries

    def stop(progress: TrainProgress) -> None:
        if progress.stage.name == stage:
            raise Stop

    with pytest.raises(Stop):
        told(SIZED[1], stop, work=tmp_path)
    resumed = told(SIZED[1], work=tmp_path, resume=True)
    first = resumed[0].stage
    assert (first.name, first.number) == {
        "ahead": ("ahead", 1),
        "labelling": ("choosing", 1),
        "held-out": ("held-out", 1),
        "measuring": ("held-out", 1),
    }[stage]
    if stage == "labelling":
        assert (first.done, first.total) == (STEPS, STEPS)  # the rounds are not taken again
    for one, other in zip(undisturbed, resumed[-1].dictionaries, strict=True):
        assert_same(one, other)


def test_a_resumed_choice_goes_on_in_its_round(tmp_path: Path) -> None:
    def stop(progress: TrainProgress) -> None:
        if progress.stage.number == 2:
            raise Stop

    with pytest.raises(Stop):
        told(SIZED[0], stop, work=tmp_path)
    first = told(SIZED[0], work=tmp_path, resume=True)[0]
    assert (first.stage.name, first.stage.number, first.stage.done) == ("choosing", 2, 0)
    assert (first.tokens, first.total, first.eta) == (600, 600, None)  # nothing was timed yet


def test_the_work_of_rounds_covers_all_of_them() -> None:
    work = round_work(90, 1000)
    assert len(work) == STEPS
    assert min(work) > 0
    assert work[0] < work[DRAWS - 1]  # the more atoms are drawn, the more there is to look at
    assert work[-1] == max(work)  # the means are made twice
    assert work[DRAWS : DRAWS + 32] == (1000.0,) * 32


def test_the_pace_is_the_time_a_unit_of_work_took(monkeypatch: pytest.MonkeyPatch) -> None:
    now, left = [100.0], [WorkLeft(60.0, 40.0), WorkLeft(60.0, 40.0)]
    monkeypatch.setattr(pace_module.time, "monotonic", lambda: now[0])
    pace = Pace(lambda: left)
    assert pace.time_left() == (None, 0.0, True)
    now[0], left[0] = 110.0, WorkLeft(50.0, 40.0)
    pace.round_done()
    assert pace.time_left() == (110.0, 80.0, True)  # a second each
    now[0], left[0] = 150.0, WorkLeft(40.0, 40.0)
    pace.round_done()
    assert pace.time_left() == (100.0, 80.0, True)  # the second round, in which something is compiled, tells nothing
    now[0], left[0] = 152.5, WorkLeft(30.0, 40.0)
    pace.round_done()
    assert pace.time_left() == (22.5, 20.0, True)  # a quarter
    for _ in range(DRAWS):
        pace.round_done()
    assert pace.time_left() == (22.5, 20.0, False)
    assert pace.seconds == 52.5
