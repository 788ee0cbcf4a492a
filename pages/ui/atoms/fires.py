"""Where an atom fires: its strongest tokens of both signs, and tokens from each quantile of its coefficient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import streamlit as st

from itda_core.errors import UserError
from pages.ui.atoms.own_text import OWN
from pages.ui.components.example_list import Group, Section, Shown, View, example_list, signed_range
from pages.ui.components.plain_text import problem
from pages.ui.frame import address, atoms_engine, navigation
from pages.ui.frame.address import kept_choice
from pages.ui.frame.atoms_engine import IndexKey
from pages.ui.frame.engine import DictionaryKey

if TYPE_CHECKING:
    from itda_core.analysis.atoms.examples import Example

ADDRESS = ("text", "window", "breaks")
_OPENED = "atoms.opened"
_KEY = "atoms.examples"
_ORDINALS = ("lowest", "second", "middle", "fourth", "highest")


def where_it_fires(key: DictionaryKey, index_of: IndexKey, found: atoms_engine.Use) -> None:
    """The examples, and how their text is shown. A click on one leads to Decompose."""
    if (token := st.session_state.pop(_OPENED, None)) is not None:
        _open(key, index_of, token)
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        with st.container(width="stretch"):
            st.subheader("Where it fires", anchor=False)
        view = _view()
    examples, usage = found.examples, found.usage
    example_list(
        list(_sections(found)),
        atom=usage.atom,
        top=max(abs(usage.max), abs(usage.min)),
        view=view,
        on_open=_opened,
        key=_KEY,
    )
    if examples.own_places:
        n = examples.own_places
        st.caption(f"Left out: {n} token{' is' if n == 1 else 's are'} at the label's own place.")
    st.caption(
        "Examples that read nearly the same are folded into the strongest. A click opens the text in Decompose at "
        "that token."
    )


def _sections(found: atoms_engine.Use) -> Iterator[Section]:
    """The strongest of both signs beside each other, then the parts of the coefficients."""
    examples, usage = found.examples, found.usage
    signs = (("positive", examples.positive, usage.positive), ("negative", examples.negative, usage.negative))
    yield Section(
        [Group(f"Strongest, {sign}", _counted(n), list(map(_shown, listed)), _none(n)) for sign, listed, n in signs],
        beside=True,
    )
    parts = examples.quantiles
    if not parts:
        return
    names = [f"{name.capitalize()} fifth" for name in _ORDINALS]
    if len(parts) != len(names):
        names = [f"Part {i}" for i in range(1, len(parts) + 1)]
    yield Section(
        [
            Group(name, f"{signed_range(one.low, one.high)}, {_counted(one.entries)}", list(map(_shown, one.examples)))
            for one, name in zip(reversed(parts), reversed(names), strict=True)
        ],
        beside=True,
        title="From each part of its coefficients",
        note="parts of equal size, from the highest coefficient to the lowest; examples drawn at random",
    )


def _shown(one: Example) -> Shown:
    return Shown(
        text=one.text,
        spans=one.spans,
        coefficients=one.coefficients,
        first_token=one.token - one.at,
        at=one.at,
        relative=one.relative_coefficient,
        kind=one.kind,
        document=one.document,
        alike=one.alike,
    )


def _counted(n: int) -> str:
    return f"{n:,} token{'' if n == 1 else 's'}"


def _view() -> View:
    text = kept_choice("Text", "text", {"running": "Running", "tokens": "Tokens"}, key="atoms.text")
    window = kept_choice("Window", "window", {"short": "Short", "whole": "Whole"}, key="atoms.window")
    breaks = kept_choice("Line breaks", "breaks", {"hidden": "As signs", "shown": "Shown"}, key="atoms.breaks")
    return View(text == "tokens", window == "whole", breaks == "shown")


def _none(n: int) -> str:
    return "Only at the label's own place." if n else "None."


def _opened(token: int) -> None:
    st.session_state[_OPENED] = token


def _open(key: DictionaryKey, index_of: IndexKey, token: int) -> None:
    """Goes to Decompose with the window of that token."""
    try:
        with st.spinner("Reading the text…"):
            place = atoms_engine.in_decompose(key, index_of, token)
    except UserError as error:
        problem(error, key="atoms.open.problem")
        return
    there = {"prompt": place.prompt, "token": place.token, "atom": st.session_state["atoms.atom"]}
    # Streamlit first writes the new values behind this page's own address: Back comes to it, so it keeps what is here.
    navigation.open_page("Decompose", {**address.held((OWN, *ADDRESS)), **there})
