"""What a page shows is in its address: read before the widgets are drawn, written after them.

A value in the address counts when a page is come to, and when it differs from the one last seen (a link, an edit,
Back); otherwise what the page already holds stands. So does what the visitor changed since: a browser sends the address
it has, which lags behind when keys or clicks come faster than the server's answers. Both are kept in the session under
keys of their own. A value that is the default, or that came from the address, is never written: each write is a step
for the browser's Back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import urlencode, urlsplit

import streamlit as st

from itda_core.foreign import valid

T = TypeVar("T")


MARK = "~"  # between names in the address: no name of the library holds it


class Listed(tuple[str, ...]):
    """Several words, and how the address writes them."""

    def __str__(self) -> str:
        return MARK.join(self)


class Refused(ValueError):
    """Why a value in the address cannot be used, as half a sentence: `is not a whole number`."""


class _Seen(NamedTuple):
    given: str | None
    within: object
    value: object
    visit: int


_VISIT = "address.visit"


def come_to() -> None:
    """Another page is shown from here on: what its widgets hold is read from the address, and set anew.

    Streamlit draws a widget of the same key on another page with its default, even while the session still holds a
    value under that key.
    """
    st.session_state[_VISIT] = st.session_state.get(_VISIT, 0) + 1


def arrive(name: str, key: str, parse: Callable[[str], T], default: T, *, within: object = None) -> T:
    """The value of `?name=`, put into `st.session_state[key]` before the widget of that key is drawn.

    A value that `parse` refuses (Refused) is named to the reader and replaced by `default`. `within` is what the value
    belongs to (a dictionary): when that changes, the address is read again.
    """
    given = st.query_params.get(name)
    visit = st.session_state.get(_VISIT, 0)
    seen: _Seen | None = st.session_state.get(f"address.{key}")
    if key not in st.session_state or (seen is not None and (seen.within, seen.visit) != (within, visit)):
        seen = None
    if seen is not None and seen.given != given and st.session_state[key] != seen.value:
        # Back or an edit changes the address alone, so this is an earlier address, sent with a newer value.
        st.session_state[f"address.{key}"] = seen._replace(given=given)
    elif seen is None or seen.given != given:
        value = default
        if given is not None:
            try:
                value = parse(given)
            except Refused as reason:
                complain(f"The address asks for {name}={_short(given)}, which {reason}; it was ignored.")
        st.session_state[key] = value
        st.session_state[f"address.{key}"] = _Seen(given, within, value, visit)
    return st.session_state[key]


def leave(name: str, key: str, value: object, default: object, *, empty: str | None = None) -> bool:
    """Writes `value` to `?name=` if it changed since `arrive`; removes the name where it is the `default` now.

    empty: what is written for None where that is not the default; None: the name is removed. Returns whether it
    changed.
    """
    seen: _Seen = st.session_state[f"address.{key}"]
    if value == seen.value:
        return False
    text = None if value == default else empty if value is None else writable(value)
    if text is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = text
    st.session_state[f"address.{key}"] = seen._replace(given=text, value=value)
    return True


def not_drawn(*keys: str) -> None:
    """The page ends before the widgets of these keys: when they come back, what they hold is set anew.

    The session keeps the value of a widget that a run did not draw, but the browser draws that widget afresh, and shows
    only what is set.
    """
    for key in keys:
        st.session_state.pop(key, None)


def kept_choice(
    label: str,
    name: str,
    choices: Mapping[str, str],
    *,
    key: str,
    help: str = "",
    default: str | None = None,
    label_hidden: bool = False,
) -> str:
    """One of `choices` (what the address calls it -> what the reader does), at first `default`, or else the first."""
    first = next(iter(choices)) if default is None else default
    arrive(name, key, one_of(*choices), first, within=first)
    chosen = st.segmented_control(
        label,
        list(choices),
        format_func=choices.__getitem__,
        key=key,
        required=True,
        help=help or None,
        label_visibility="collapsed" if label_hidden else "visible",
    )
    leave(name, key, chosen, first)
    return chosen or first


def complain(sentence: str) -> None:
    """Keeps a sentence about the address for `complaints`."""
    st.session_state.setdefault("address.complaints", []).append(sentence)


def complaints() -> list[str]:
    """What was wrong with the address; each sentence is given out once."""
    return st.session_state.pop("address.complaints", [])


def held(names: Iterable[str]) -> dict[str, object]:
    """What the page's address says now under each of these names; None where it says nothing."""
    return {name: st.query_params.get(name) for name in names}


def link(page: str, values: Mapping[str, object]) -> str:
    """The whole address of `page` ("" for the home page) with `values`, to be copied."""
    here = urlsplit(str(st.context.url or "http://127.0.0.1:8501/"))
    query = urlencode(query_of(values))
    return f"{here.scheme}://{here.netloc}/{page}" + (f"?{query}" if query else "")


def query_of(values: Mapping[str, object]) -> dict[str, str]:
    """What of `values` an address holds, as text: all that is not empty."""
    return {name: writable(value) for name, value in values.items() if value is not None and value != ""}


def writable(value: object) -> str:
    """`value` as text that an address can hold: half characters, as in a folder's name that is not UTF-8, as U+FFFD."""
    return valid(str(value))


def whole(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise Refused("is not a whole number") from None
        if not low <= value <= high:
            raise Refused(f"is not between {low:,} and {high:,}")
        return value

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser of the words in `choices`."""

    def parse(text: str) -> str:
        if text not in choices:
            raise Refused(f"is none of {', '.join(choices)}")
        return text

    return parse


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
