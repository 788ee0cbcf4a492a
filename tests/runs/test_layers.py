from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itda_core.errors import UserError
from itda_core.runs.layers import existing_layers, format_layers, parse_layers


@pytest.mark.parametrize(
    ("text", "layers"),
    [("2", (2,)), ("0,2-4", (0, 2, 3, 4)), (" 4 , 1-1,1 ", (1, 4)), ("3-5,0-4", (0, 1, 2, 3, 4, 5)), ("ALL", None)],
)
def test_layers_are_read(text: str, layers: tuple[int, ...] | None) -> None:
    assert parse_layers(text) == layers


@pytest.mark.parametrize("text", ["", "x", "1,", "1--2", "-1", "1.5", "1-99999999999", "٣ 4", "4-2"])
def test_what_is_no_layer_is_named(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_layers(text)
    assert repr(text) in str(caught.value)


@given(st.sets(st.integers(0, 200), min_size=1))
def test_written_layers_are_read_back(layers: set[int]) -> None:
    assert parse_layers(format_layers(tuple(layers))) == tuple(sorted(layers))


def test_all_means_every_layer_of_the_model() -> None:
    assert existing_layers(None, 3, "demo:0") == (0, 1, 2)


def test_a_layer_out_of_range_is_named_with_the_range() -> None:
    with pytest.raises(UserError, match=r"demo:0 has no layer 6: it has 6 layers, 0 to 5"):
        existing_layers((2, 6), 6, "demo:0")
