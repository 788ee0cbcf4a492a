"""Dataclasses from JSON: what was written is read again, and what nobody wrote is refused by its name."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

import pytest

from itda_core.errors import UserError
from itda_core.files.dataclass_schema import LARGEST, MOST_CHARACTERS, read_as


@dataclass(frozen=True)
class Inner:
    name: str
    at: int | None = None


@dataclass(frozen=True)
class Outer:
    kind: ClassVar[str] = "an outer one"
    state: Literal["on", "off"]
    share: float
    inner: tuple[Inner, ...]
    pair: tuple[int, float] | None = None
    more: dict[str, Any] = field(default_factory=dict)
    truth: bool = False


WHOLE = Outer("on", 0.5, (Inner("a"), Inner("b", 3)), (1, 2.0), {"any": [1, {"x": None}]}, True)


def test_what_was_written_is_read_again() -> None:
    assert read_as(Outer, json.loads(json.dumps(asdict(WHOLE))), "thing") == WHOLE


def test_a_number_that_json_cannot_hold_is_none_again() -> None:
    assert math.isnan(read_as(Outer, {**asdict(WHOLE), "share": None}, "thing").share)


def test_fields_with_a_default_may_be_missing_where_that_is_said() -> None:
    said = {"state": "off", "share": 1, "inner": []}
    assert read_as(Outer, said, "thing", whole=False) == Outer("off", 1.0, ())
    with pytest.raises(UserError, match="thing lacks more, pair, truth"):
        read_as(Outer, said, "thing")
    with pytest.raises(UserError, match="thing lacks state"):
        read_as(Outer, {"share": 1, "inner": []}, "thing", whole=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red"}, "thing has unknown keys colour"),
        ({"state": "x"}, "thing's state is 'x', none of on, off"),
        ({"state": ["on"]}, "thing's state is a list of 1"),
        ({"share": "x"}, "thing's share is 'x', not a number"),
        ({"share": True}, "thing's share is True, not a number"),
        ({"share": float("inf")}, "thing's share is inf"),
        ({"inner": {}}, "thing's inner is an object of 0, not a list"),
        ({"inner": [{"name": "a", "at": 1}, 3]}, r"thing's inner\[1\] is not a JSON object"),
        ({"inner": [{"name": 3, "at": 1}]}, r"thing's inner\[0\].name is 3, not text"),
        ({"inner": [{"name": "a", "at": -1}]}, r"thing's inner\[0\].at is -1; a count"),
        ({"inner": [{"name": "a", "at": LARGEST + 1}]}, "a count is from 0 to"),
        ({"inner": [{"name": "a", "at": 1.5}]}, "not a whole number"),
        ({"inner": [{"name": "\ud800", "at": None}]}, "half a character"),
        ({"inner": [{"name": "x" * (MOST_CHARACTERS + 1), "at": None}]}, "has 20,001 characters"),
        ({"pair": [1]}, "thing's pair has 1 entries, not 2"),
        ({"more": []}, "thing's more is a list of 0, not an object"),
        ({"truth": 1}, "neither true nor false"),
        ({"x" * 300_000: 1}, "unknown keys xxx"),
        ({"state": "x" * 300_000}, "thing's state is 'xxx"),
    ],
)
def test_what_nobody_wrote_is_refused_by_its_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        read_as(Outer, {**asdict(WHOLE), **change}, "thing")
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("value", [None, 3, "x", [], [1]])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(UserError, match="The thing is not a JSON object"):
        read_as(Outer, value, "thing")
