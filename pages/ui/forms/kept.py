"""Fields of a form whose values are in the page's address, so that a reload, a link and Back bring them back.

Each takes what the address calls it, its label and its default, and gives the value; a value that is the default is
not written. `key` is the widget's; what else is given goes to the widget.

A folder or file that was typed is in the address as it was typed: the form is worth nothing without it after a reload,
and whoever follows the link asks the same server, on whose disk it lies. Never in an address are a token of the Hub,
what an uploaded file holds, and the consent to run a model's own code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from unicodedata import category

import streamlit as st

from pages.ui.frame import address

MOST = 2**53 - 1  # the largest whole number that a browser's field can hold
_EMPTY = "none"  # of a number's field whose default is a number: an address that says nothing means the default
_MOST_CHARACTERS = 4096  # of a text; the longest path that a system takes
whole = address.whole(-MOST, MOST)  # whether the engine takes it is said beside the field


def text(name: str, label: str, default: str = "", *, key: str, **more: Any) -> str:
    """A text, without white space around it."""
    address.arrive(name, key, _text, default, within=default)
    given = (st.text_input(label, key=key, **more) or "").strip()
    address.leave(name, key, given, default)
    return given


def number(name: str, label: str, default: int, *, key: str, step: int = 1, **more: Any) -> int:
    """A whole number."""
    address.arrive(name, key, whole, default, within=default)
    given = st.number_input(label, key=key, step=step, **more)
    address.leave(name, key, int(given), default)
    return int(given)


def optional_number(name: str, label: str, default: int | None, *, key: str, **more: Any) -> int | None:
    """A whole number; None where the field is empty."""
    return _or_none(whole, name, label, default, key=key, **more)


def real(name: str, label: str, default: float, *, key: str, **more: Any) -> float:
    """A number."""
    address.arrive(name, key, a_real, default, within=default)
    given = float(st.number_input(label, key=key, **more))
    address.leave(name, key, given, default)
    return given


def optional_real(name: str, label: str, default: float | None, *, key: str, **more: Any) -> float | None:
    """A number; None where the field is empty."""
    return _or_none(a_real, name, label, default, key=key, **more)


def choice(name: str, label: str, choices: Sequence[str], default: str | None = None, *, key: str, **more: Any) -> str:
    """One of `choices`, at first `default`, or else the first."""
    first = choices[0] if default is None else default
    within = (tuple(choices), first)
    address.arrive(name, key, address.one_of(*choices), first, within=within)
    chosen = st.selectbox(label, choices, key=key, **more)
    address.leave(name, key, chosen, first)
    return chosen


def optional_choice(name: str, label: str, choices: Sequence[str], *, key: str, **more: Any) -> str | None:
    """One of `choices`; None, as at first, where none is chosen."""
    address.arrive(name, key, address.one_of(*choices), None, within=tuple(choices))
    chosen = st.selectbox(label, choices, index=None, key=key, **more)
    address.leave(name, key, chosen, None)
    return chosen


def toggle(name: str, label: str, default: bool = False, *, key: str, **more: Any) -> bool:
    """Yes or no."""
    asked(name, default, key=key)
    given = st.toggle(label, key=key, **more)
    address.leave(name, key, given, default)
    return given


def asked(name: str, default: bool = False, *, key: str) -> bool:
    """What a toggle that is drawn further down holds."""
    return address.arrive(name, key, _yes, default, within=default)


def _or_none(parse: Callable[[str], Any], name: str, label: str, default: Any, *, key: str, **more: Any) -> Any:
    address.arrive(name, key, lambda given: None if given == _EMPTY else parse(given), default, within=default)
    given = st.number_input(label, value=None, key=key, **more)
    address.leave(name, key, given, default, empty=_EMPTY)
    return given


def _text(given: str) -> str:
    if len(given) > _MOST_CHARACTERS:
        raise address.Refused(f"is longer than {_MOST_CHARACTERS:,} characters")
    if any(category(character) == "Cc" for character in given):
        raise address.Refused("holds control characters")
    return given


def a_real(given: str) -> float:
    """A number as an address writes it. Raises Refused."""
    try:
        value = float(given)
    except ValueError:
        raise address.Refused("is not a number") from None
    if not abs(value) <= MOST:
        raise address.Refused("is not a number of a usual size")
    return value


def _yes(given: str) -> bool:
    return address.one_of("True", "False")(given) == "True"
