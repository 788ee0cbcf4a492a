"""The table of selections: what it names exists, and what configurations, forms and commands say of them follows."""

from __future__ import annotations

import subprocess
import sys
from pkgutil import resolve_name

import pytest

from itda_core.dictionaries.config import EXTENDED, SELECTIONS, SIZED, TrainConfig
from itda_core.dictionaries.growing.growth import Growth
from itda_core.dictionaries.growing.sequential import ThresholdSelection
from itda_core.dictionaries.selections import READING, TABLE, TERMS, is_for, selection_named, with_purpose
from itda_core.errors import UserError


def test_the_table_loads_no_tensor_library() -> None:
    program = "import sys, itda_core.dictionaries.selections; assert not {'torch', 'numpy'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_all_that_the_table_names_is_there() -> None:
    for one in TABLE:
        assert issubclass(resolve_name(one.growth), Growth)
        assert one.judge is None or issubclass(resolve_name(one.judge), ThresholdSelection)


def test_which_goes_by_a_threshold_and_which_by_a_size() -> None:
    assert SELECTIONS == ("sequential", "paper", "sampled", "consensus")
    assert EXTENDED == ("sequential", "paper")
    assert SIZED == ("sampled", "consensus")
    for one in TABLE:
        config = TrainConfig(selection=one.name, atoms=8)
        assert config.rule is selection_named(one.name) is one
        assert (config.threshold_for(64) is None) == one.sized
    assert [one.members for one in TABLE] == [1, 1, 1, 8]


def test_the_words_of_a_command() -> None:
    assert TERMS == (
        "sequential; paper (the published code's rule); sampled (--atoms real activations, chosen where the "
        "unexplained mass is once the text is read); consensus (the same, each the mean of up to eight real "
        "activations)"
    )


def test_what_dictionaries_are_for() -> None:
    assert [with_purpose(one.name) for one in TABLE] == [
        "sequential · for comparing",
        "paper · for reproducing the paper",
        "sampled · for reading",
        "consensus · for reading",
    ]
    assert with_purpose("<b>unknown</b>") == with_purpose(None) == ""
    assert [one.name for one in TABLE if is_for(one.name, READING)] == ["sampled", "consensus"]
    assert not is_for(None, READING)


def test_a_selection_of_one_pursuit_takes_no_other() -> None:
    with pytest.raises(UserError, match="method='omp' does not go with selection='paper', which judges by matching"):
        TrainConfig(selection="paper", method="omp")
