"""What a page shows is in its address: read before the widgets are drawn, written after them.

A value in the address counts when a page is come to, and when it differs from the one last seen (a link, an edit,
Back); otherwise what the page already holds stands. So does what the visitor changed since: a browser sends the address
it has, which lags behind when keys or clicks come faster than the server's answers. Both are kept in the session under
keys of their own. A value that is the default, or that came from the address, is never written: each write is a step
for the browser's Back.

All that reads or writes the address does so by `query`, which knows a lagging address from one that was gone back to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import NamedTuple, TypeVar
from urllib.parse import urlencode, urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from itda_core.foreign import valid

T = TypeVar("T")


MARK = "~"  # between names in the address: no name of the library holds it


class Listed(tuple[str, ...]):
    """Several words, and how the address writes them."""

    def __str__(self) -> str:
        return MARK.join(self)


class Refused(ValueError):
    """Why a value in the address cannot be used, as half a sentence: `is not a whole number`."""


class _Known(NamedTuple):
    """The address as the page last had it."""

    page: str | None  # Streamlit's hash of it
    now: dict[str, str]
    before: tuple[tuple[dict[str, str], float], ...]  # those that a write replaced, and when (time.monotonic)


class _Query(MutableMapping[str, str]):
    """What stands behind the `?` of the page's address.

    A browser that has not yet heard of the last write sends an address from before it. That one is put right before
    anything is read from it or written to it: else what was written last would be taken back, here and in the browser.
    """

    def __getitem__(self, name: str) -> str:
        self._catch_up()
        return st.query_params[name]

    def __iter__(self) -> Iterator[str]:
        self._catch_up()
        return iter(st.query_params.to_dict())

    def __len__(self) -> int:
        self._catch_up()
        return len(st.query_params)

    def __setitem__(self, name: str, value: str) -> None:
        self._catch_up()
        st.query_params[name] = value
        self._written()

    def __delitem__(self, name: str) -> None:
        self._catch_up()
        del st.query_params[name]
        self._written()

    def set_to(self, values: Mapping[str, str]) -> None:
        """Replaces all of it at once."""
        self._catch_up()
        st.query_params.from_dict(values)
        self._written()

    def come_to(self) -> None:
        """Another page is shown: its address is taken as it is."""
        st.session_state[_KNOWN] = _Known(_page(), st.query_params.to_dict(), ())

    def lagging(self) -> dict[str, str] | None:
        """The address that the browser sent, where that is one from before the last write and not yet put right."""
        given = st.query_params.to_dict()
        known: _Known | None = st.session_state.get(_KNOWN)
        if known is None or known.now == given or _through_history() or not _lags(given, known):
            return None
        # Callbacks of a page that is left may run before the next page is come to.
        return given if known.page == _page() else None

    def _catch_up(self) -> None:
        known: _Known | None = st.session_state.get(_KNOWN)
        if known is not None and self.lagging() is not None:
            st.query_params.from_dict(known.now)
        elif known is None or (known.page, known.now) != (_page(), st.query_params.to_dict()):
            self.come_to()

    def _written(self) -> None:
        known: _Known = st.session_state[_KNOWN]
        now = st.query_params.to_dict()
        if now != known.now:
            before = [one for one in known.before if not _long_ago(one[1])]
            st.session_state[_KNOWN] = _Known(known.page, now, (*before, (known.now, time.monotonic())))


query = _Query()
_KNOWN = "address.known"
_MOST_LAG = 3.0  # seconds; later, an earlier address is one that a link leads to


def _lags(given: dict[str, str], known: _Known) -> bool:
    return any(given == one and not _long_ago(when) for one, when in known.before)


def _long_ago(when: float) -> bool:
    return time.monotonic() - when > _MOST_LAG


def _page() -> str | None:
    """Streamlit's hash of the page that this run draws."""
    return getattr(get_script_run_ctx(), "page_script_hash", None)


def _through_history() -> bool:
    """Whether this run is the browser's Back or Forward."""
    context = get_script_run_ctx()
    return getattr(context, "is_history_navigation", False)


def of_a_part() -> bool:
    """Whether this run is that of a part of the page alone, as of one that looks again by itself every few seconds.

    What it brings of the fields outside that part is what the browser holds of them: nobody has changed them by hand.
    """
    context = get_script_run_ctx()
    return bool(getattr(context, "fragment_ids_this_run", None))


def _unheard(key: str) -> bool:
    """Whether the browser did not say what the widget of this key holds, though a run has drawn it.

    Then it may not have been drawn for the browser: of a run that was broken off nothing more is sent, and of what was
    set in it Streamlit does not tell again by itself.
    """
    context = get_script_run_ctx()
    if context is None:
        return False
    try:
        state = context.session_state._state  # Streamlit has no public way to ask for it
        widget = state._key_id_mapper.get_id_from_key(key)
        return widget is not None and widget not in state._new_widget_state
    except AttributeError:  # another Streamlit: only what was set in a run that was broken off may be lost
        return False


class _Seen(NamedTuple):
    given: str | None
    within: object
    value: object
    visit: int


_VISIT = "address.visit"


def visit() -> int:
    """A number that is another one whenever another page is come to."""
    return st.session_state.get(_VISIT, 0)


def come_to() -> None:
    """Another page is shown from here on: what its widgets hold is read from the address, and set anew.

    Streamlit draws a widget of the same key on another page with its default, even while the session still holds a
    value under that key.
    """
    st.session_state[_VISIT] = visit() + 1
    query.come_to()


def arrive(name: str, key: str, parse: Callable[[str], T], default: T, *, within: object = None) -> T:
    """The value of `?name=`, put into `st.session_state[key]` before the widget of that key is drawn.

    A value that `parse` refuses (Refused) is named to the reader and replaced by `default`. `within` is what the value
    belongs to (a dictionary): when that changes, the address is read again. So it is by Back and Forward: what the page
    held by itself then, as a colour that came with a pinned atom, is of another address.
    """
    given = query.get(name)
    now = visit()
    seen: _Seen | None = st.session_state.get(f"address.{key}")
    if key not in st.session_state or _through_history() or (seen and (seen.within, seen.visit) != (within, now)):
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
        st.session_state[f"address.{key}"] = _Seen(given, within, value, now)
    elif _unheard(key):
        st.session_state[key] = st.session_state[key]
    return st.session_state[key]


def leave(
    name: str, key: str, value: object, default: object, *, empty: str | None = None, text: str | None = None
) -> bool:
    """Writes `value` to `?name=` if it changed since `arrive`; removes the name where it is the `default` now.

    empty: what is written for None where that is not the default; None: the name is removed. text: how the address
    writes `value`; None: as Python does. Returns whether it changed.
    """
    seen: _Seen = st.session_state[f"address.{key}"]
    if value == seen.value:
        return False
    written = None if value == default else empty if value is None else writable(value) if text is None else text
    if written is None:
        query.pop(name, None)
    else:
        query[name] = written
    st.session_state[f"address.{key}"] = seen._replace(given=written, value=value)
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
    return {name: query.get(name) for name in names}


def link(page: str, values: Mapping[str, object]) -> str:
    """The whole address of `page` ("" for the home page) with `values`, to be copied."""
    here = urlsplit(str(st.context.url or "http://127.0.0.1:8501/"))
    asked_for = urlencode(query_of(values))
    return f"{here.scheme}://{here.netloc}/{page}" + (f"?{asked_for}" if asked_for else "")


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
