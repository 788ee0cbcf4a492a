"""What a training's worker reports of each stage; what an older one has written."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from itda_core.dictionaries import AtomLabel, LayerProgress, TrainProgress
from itda_core.dictionaries.growing.growth import latest_of
from itda_core.dictionaries.training_stage import TrainingStage
from itda_core.errors import UserError
from itda_core.runs.training.status import LayerRounds, TrainingStatus
from tests.runs.jobs.test_status import STATUS


def layer(number: int, step: int, error: float, atoms: int = 0) -> LayerProgress:
    return LayerProgress("resid_post", number, atoms, error, 0.0, (), step=step, steps=64)


def choosing(first: int, second: int, error: float = 0.5) -> TrainProgress:
    """After so many rounds of two layers."""
    number = 2 if second else 1
    at = TrainingStage("choosing", second or first, 64, (0, 2)[number - 1], number, 2)
    layers = (
        layer(0, first, 0.25 if second else error, 90 if second else 0),
        layer(2, second, error if second else 1.0),
    )
    return TrainProgress(1000, 1000, 9.0, 100.0, 4.0, layers, at=at, rough=True)


def after(*progresses: TrainProgress, status: TrainingStatus | None = None) -> TrainingStatus:
    status = status or TrainingStatus(state="running")
    following = status.following()
    for progress in progresses:
        status = following(status, progress)
    return status


def test_an_atom_with_several_places_is_told_once_with_their_number() -> None:
    labels = [
        AtomLabel(atom, atom, "d", 0, place, 0, f"t{atom}.{place}", 0, 1, "before", "after", 0.5)
        for atom, n_places in enumerate((2, 1, 4, 1, 3, 1, 8))
        for place in range(n_places)
    ]
    shown = latest_of(labels)
    assert [label.atom for label in shown] == [2, 2, 2, 2, 3, 4, 4, 4, 5, *[6] * 8]  # the last five atoms
    assert latest_of(labels[:3]) == tuple(labels[:3])
    assert latest_of([]) == ()
    told = after(replace(choosing(3, 0), layers=(replace(layer(0, 3, 0.2, 7), latest=shown),)))
    assert [(one.token, one.more) for one in told.layers[0].latest] == [
        *(("t2.0", 3), ("t3.0", 0), ("t4.0", 2)),
        *(("t5.0", 0), ("t6.0", 7)),
    ]
    assert TrainingStatus.from_dict(told.to_dict()) == told


def test_nothing_is_drawn_of_atoms_that_are_not_chosen_yet() -> None:
    status = after(TrainProgress(500, 1000, 2.0, 100.0, 9.0, (layer(0, 0, 1.0), layer(2, 0, 1.0))))
    assert (status.step, status.fraction) == ("Reading text, 500 of 1,000 tokens", 0.5)
    assert (status.series_tokens, status.rounds) == ((), ())


def test_the_error_of_every_round_is_kept() -> None:
    status = after(choosing(1, 0, 1.0), choosing(2, 0, 0.5), choosing(64, 0, 0.25), choosing(64, 1, 1.0))
    assert status.step == "Choosing atoms of layer 2 (2 of 2), round 2 of 64"
    assert status.fraction == 1 / 64
    assert status.rounds == (
        LayerRounds("resid_post", 0, (1, 2, 64), (1.0, 0.5, 0.25)),
        LayerRounds("resid_post", 2, (1,), (1.0,)),
    )
    assert TrainingStatus.from_dict(json.loads(json.dumps(status.to_dict()))) == status


def test_rounds_that_are_taken_again_after_a_resume_replace_the_earlier_ones() -> None:
    earlier = after(*(choosing(step, 0, 1 / step) for step in range(1, 31)))
    begun = earlier.at_step("loading the model")
    assert (begun.stage, begun.eta, begun.rough, begun.rounds) == (None, None, False, earlier.rounds)
    assert begun.fraction is None  # all is read, and nobody knows yet how far the rest is
    status = after(choosing(20, 0, 0.5), status=begun)
    assert status.rounds[0].rounds == tuple(range(1, 21))
    assert status.rounds[0].relative_error[-2:] == (round(1 / 19, 5), 0.5)


def test_curves_of_what_grows_stand_still_while_it_is_measured() -> None:
    grown = LayerProgress("resid_post", 0, 30, 0.4, 0.1, ())
    reading = TrainProgress(500, 500, 2.0, 100.0, 0.0, (grown,))
    measuring = replace(reading, at=TrainingStage("measuring", 0, 1, 0), eta=None)
    status = after(reading, measuring)
    assert (status.step, status.fraction, status.series_tokens) == ("Measuring the dictionary", 0.0, (500,))
    passing = replace(reading, tokens=0, at=TrainingStage("passing", 1, 4, None, 2, 3))
    assert after(passing, status=status).series_tokens == ()


def test_a_status_of_an_earlier_version_opens() -> None:
    written = json.loads(json.dumps(STATUS.to_dict()))
    for name in ("stage", "rough", "rounds"):
        del written[name]
    assert TrainingStatus.from_dict(written) == STATUS
    del written["tokens"]
    with pytest.raises(UserError, match="lacks tokens"):
        TrainingStatus.from_dict(written)


@pytest.mark.parametrize(
    "change",
    [
        {"stage": {"name": "asleep", "done": 1, "total": 2, "layer": None, "number": 1, "of": 1}},
        {"stage": {"name": "reading"}},
        {"rounds": [{"site": "resid_post", "layer": 1, "rounds": [1, 2], "relative_error": [1.0]}]},
    ],
)
def test_a_damaged_stage_is_refused(change: dict) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        TrainingStatus.from_dict({**STATUS.to_dict(), **change})
