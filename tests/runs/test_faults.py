"""All that is wrong with a request is found, not only the first."""

from __future__ import annotations

import pytest

from itda_core.dictionaries import TrainConfig
from itda_core.errors import UserError, about
from itda_core.runs.faults import Faults


def test_each_wrong_value_is_told_and_the_others_are_looked_at() -> None:
    faults = Faults()
    made = faults.made(TrainConfig, {"k": 0, "threshold": 5.0, "seed": -1, "context": 64})
    assert [error.field for error in faults.errors] == ["k", "seed", "threshold"]
    assert made == TrainConfig(context=64)


def test_what_has_no_default_is_replaced() -> None:
    faults = Faults()
    made = faults.made(TrainConfig, {"selection": "sampled", "atoms": 0}, instead={"atoms": 1})
    assert [error.field for error in faults.errors] == ["atoms"]
    assert made == TrainConfig(selection="sampled", atoms=1)
    assert Faults().made(TrainConfig, {"selection": "sampled", "atoms": 0}) is None


def test_of_a_field_the_first_is_kept() -> None:
    faults = Faults()
    for message in ("first", "second"):
        with faults.caught("k"):
            raise UserError(message)
    assert [str(error) for error in faults.errors] == ["first"]
    assert (bool(faults), faults.of("k"), faults.of("seed")) == (True, True, False)


def test_an_error_says_itself_which_field_it_is_about() -> None:
    with pytest.raises(UserError) as caught, about("config"):
        raise UserError("no", field="k")
    assert caught.value.field == "k"
    with pytest.raises(UserError) as caught, about("config"):
        raise UserError("no")
    assert caught.value.field == "config"
