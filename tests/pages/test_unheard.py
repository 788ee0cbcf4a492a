"""A browser to which a run did not draw some fields yet: what it shows of them later is what the page goes by."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1.element_tree import Widget

from tests.pages.conftest import Studio, asked_for, elements

PROMPT = "The little dog sat by the door of the house."


def freshly_drawn(proto: Any) -> Any:
    """What a browser shows of a field that it never drew before: what is set, or else the field's default."""
    kind = type(proto).__name__
    if kind == "Selectbox":
        if proto.set_value:
            return proto.raw_value if proto.HasField("raw_value") else None
        return proto.options[proto.default] if proto.HasField("default") else None
    if kind in ("ButtonGroup", "MultiSelect"):
        offered = [one.content for one in proto.options] if kind == "ButtonGroup" else proto.options
        return list(proto.raw_values) if proto.set_value else [offered[one] for one in proto.default]
    if kind == "Slider":
        return list(proto.value if proto.set_value else proto.default)
    if kind in ("NumberInput", "TextInput", "TextArea", "Checkbox"):
        name = "value" if proto.set_value else "default"
        return None if kind == "NumberInput" and not proto.HasField(name) else getattr(proto, name)
    raise AssertionError(f"how is a {kind} drawn?")


def heard(field: Any) -> Any:
    """What the page has of a field, in the same form."""
    kind = type(field.proto).__name__
    value = field.value
    if kind in ("Selectbox", "MultiSelect"):
        named = [field.format_func(one) for one in ([value] if kind == "Selectbox" else value) if one is not None]
        return named if kind == "MultiSelect" else named[0] if named else None
    if kind == "ButtonGroup":
        chosen = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
        return [field.format_func(one) for one in chosen]
    if kind == "Slider":
        return list(value) if isinstance(value, (list, tuple)) else [value]
    return value


def fields(test: Any) -> dict[str, Any]:
    """By key; buttons and uploads hold nothing that could be lost."""
    nothing_held = ("button", "download_button", "file_uploader")
    return {
        str(one.key or one.id): one
        for one in elements(test)
        if isinstance(one, Widget) and one.type not in nothing_held
    }


@pytest.mark.parametrize(
    ("page", "asked"),
    [
        (
            "decompose",
            {"prompt": PROMPT, "token": "2", "k": "3", "method": "omp", "signs": "positive", "special": "shown"}
            | {"colour": "norm", "why": "shown"},
        ),
        (
            "decompose",
            {"prompt": PROMPT, "atom": "1", "change": "shown", "strength": "2", "unit": "x", "added": "True"},
        ),
        ("train", {"model": "demo:2", "tokens": "5000", "k": "12", "threshold": "0.2", "name": "mine", "seed": "3"}),
        ("evaluate", {"tokens": "3000", "method": "mp~omp"}),
        ("compare", {"show": "training"}),
        ("compare", {"show": "matching"}),
        ("atoms", {"atom": "1", "breaks": "shown", "window": "whole", "near": "opposite"}),
        ("atoms", {"only": "starred", "find": "dog", "q": "dog", "by": "label"}),
        ("library", {}),
    ],
)
def test_what_the_browser_never_drew_is_set_again(studio: Studio, page: str, asked: dict[str, str]) -> None:
    test = studio.open(page, **asked)
    before = {key: heard(one) for key, one in fields(test).items()}
    address = asked_for(test)
    test._run(widget_state=WidgetStates())  # a key pressed before the browser had drawn the fields
    after = fields(test)
    assert after.keys() == before.keys()
    assert {key: heard(one) for key, one in after.items()} == before
    assert {key: freshly_drawn(one.proto) for key, one in after.items()} == before
    assert asked_for(test) == address
