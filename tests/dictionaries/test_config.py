"""Settings that cannot work are refused before any work."""

from __future__ import annotations

import pytest

from itda_core.dictionaries import METHODS, TrainConfig
from itda_core.errors import UserError
from itda_core.pursuit import PURSUITS


def test_defaults_are_the_contracts() -> None:
    config = TrainConfig()
    assert config.to_dict() == {
        "k": 40,
        "method": "mp",
        "selection": "sequential",
        "threshold": 0.3,
        "atoms": None,
        "centre": False,
        "tokens": None,
        "context": 128,
        "windows": "all",
        "seed": 0,
        "sinks": 10.0,
    }
    assert TrainConfig.from_dict(config.to_dict()) == config


def test_methods_are_those_that_exist() -> None:
    assert set(METHODS) == set(PURSUITS)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"threshold": 1.0}, "threshold=1 can add no atom.*choose one between 0 and 1"),
        ({"threshold": 4}, "can add no atom"),
        ({"threshold": 0.0}, "threshold=0 would make every activation an atom"),
        ({"threshold": -0.1}, "every activation"),
        ({"threshold": float("nan")}, "not a number"),
        ({"threshold": "0.3"}, "not a number"),
        ({"k": 0}, "k=0 is less than 1"),
        ({"k": 2.5}, "k=2.5 is not a whole number"),
        ({"k": True}, "not a whole number"),
        ({"method": "fista"}, "method='fista' does not exist; choose mp or omp or gp"),
        ({"selection": "best"}, "selection='best' does not exist; choose sequential or paper"),
        ({"selection": "paper", "method": "omp"}, "method='omp' does not go with selection='paper'"),
        ({"selection": "paper", "threshold": 0}, "threshold=0 would make every activation an atom"),
        ({"selection": "paper", "threshold": -1e-4}, "every activation"),
        ({"selection": "paper", "threshold": float("nan")}, "not a number"),
        ({"selection": "paper", "threshold": float("inf")}, "not a number"),
        ({"selection": "paper", "threshold": True}, "not a number"),
        ({"windows": "last"}, "choose all or first"),
        ({"atoms": 0}, "atoms=0"),
        ({"tokens": 0}, "tokens=0"),
        ({"context": 0}, "context=0"),
        ({"seed": -1}, "seed=-1"),
        ({"centre": "yes"}, "centre='yes'"),
        ({"sinks": 1.0}, "sinks=1 would leave out ordinary tokens"),
        ({"sinks": -3}, "sinks=-3 would leave out"),
        ({"sinks": float("inf")}, "sinks=inf would leave out ordinary tokens or none"),
        ({"sinks": float("nan")}, "sinks=nan would leave out"),
        ({"sinks": "10"}, "sinks='10' is not a number"),
        ({"sinks": True}, "sinks=True is not a number"),
        ({"selection": "paper", "sinks": 5}, "sinks=5 does not go with selection='paper'"),
        ({"treshold": 0.3}, "Unknown setting treshold"),
    ],
)
def test_bad_settings_are_refused(setting: dict, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        TrainConfig.from_dict(setting)


def test_there_is_one_way_to_leave_nothing_out() -> None:
    assert TrainConfig(sinks=0) == TrainConfig(sinks=None)
    assert TrainConfig(sinks=12).sinks == 12.0
    assert TrainConfig(selection="paper").sinks is None
    assert TrainConfig(selection="paper", sinks=None) == TrainConfig(selection="paper")


@pytest.mark.parametrize("threshold", [None, 1e-9, 0.0004, 0.3, 1, 12.5])
def test_what_a_paper_threshold_can_do_depends_on_the_model(threshold: float | None) -> None:
    config = TrainConfig(selection="paper", threshold=threshold)
    assert config.threshold == threshold
    assert TrainConfig.from_dict(config.to_dict()) == config


def test_a_threshold_that_was_left_out_is_the_one_of_the_selection() -> None:
    assert TrainConfig(threshold=None) == TrainConfig()
    paper = TrainConfig(selection="paper")
    assert paper.threshold is None
    assert paper.threshold_for(768) == pytest.approx(0.000425, abs=1e-6)  # 2 (1 - sqrt(0.7)) / 768
    assert TrainConfig(selection="paper", threshold=0.0004).threshold_for(768) == 0.0004
    with pytest.raises(UserError, match=r"threshold=0\.01 can add no atom at d_model=5120"):
        TrainConfig(selection="paper", threshold=0.01).threshold_for(5120)
