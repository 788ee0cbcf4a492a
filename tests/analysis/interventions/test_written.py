"""Changes in a few signs: read, written, refused."""

from __future__ import annotations

import pytest

from itda_core.analysis.interventions.change import Change
from itda_core.analysis.interventions.written import change_of, changes_of, text_of, with_largest
from itda_core.errors import UserError


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("763:-1", Change(763, -1.0)),
        ("0:0", Change(0, 0.0)),
        ("51:0.5:norm", Change(51, 0.5, "norm")),
        ("51:0.5:norm:add", Change(51, 0.5, "norm", added=True)),
        ("7:-0.125:max:add", Change(7, -0.125, "max", added=True)),
    ],
)
def test_a_change_is_the_same_again(text: str, change: Change) -> None:
    assert change_of(text) == change
    assert text_of(change) == text


def test_what_is_left_out_is_given_otherwise() -> None:
    assert changes_of(["3", "4:2"], strength=0.25, unit="norm", added=True) == (
        Change(3, 0.25, "norm", added=True),
        Change(4, 2.0),
    )
    assert with_largest((Change(3, 1.0),), lambda atom: 2.0 * atom) == (Change(3, 1.0, largest=6.0),)


@pytest.mark.parametrize(
    "text", ["", ":", "3", "3:", "3:x", "3:nan", "3:inf", "3:1e7", "x:1", "3:1:own:no", "3:1:", "1.5:0"]
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        change_of(text)
