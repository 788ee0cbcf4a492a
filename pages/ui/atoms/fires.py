"""Where an atom fires: its strongest tokens of both signs, and tokens from each quantile of its coefficient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from itda_core.errors import UserError
from pages.ui.components.example_list import Group, Section, Shown, View, example_list, signed_range
from pages.ui.components.plain_text import problem
from pages.ui.frame import atoms_engine, navigation
from pages.ui.frame.address import kept_choice
from pages.ui.frame.atoms_engine import IndexKey
from pages.ui.frame.engine import DictionaryKey

if TYPE_CHECKING:
    from itda_core.analysis.atoms.examples import Example

ADDRESS = ("text", "window", "breaks")
_OPENED = "atoms.opened"
_KEY = "atoms.examples"
_ORDINALS = ("lowest", "second", "middle", "fourth", "highest")


def where_it_fires(key: DictionaryKey, index_of: IndexKey, n_atoms: int, found: atoms_engine.Use) -> None:
    """The examples, and how their text is shown. A click on one leads to Decompose."""
    if (token := st.session_state.pop(_OPENED, None)) is not None:
        _open(key, index_of, token)
    examples, usage = found.examples, found.usage
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        with st.container(width="stretch"):
            st.subheader("Where it fires", anchor=False)
        view = _view()

    def shown(listed: Sequence[Example]) -> list[Shown]:
        return [
            Shown(
                text=one.text,
                spans=atoms_engine.spans_of(index_of, n_atoms, one),
                coefficients=one.coefficients,
                first_token=one.token - one.at,
                at=one.at,
                relative=one.relative_coefficient,
                kind=one.kind,
                document=one.document,
                alike=one.alike,
            )
            for one in listed
        ]

    def note(n: int) -> str:
        return f"{n:,} token{'' if n == 1 else 's'}"

    strongest = Section(
        (
            Group("Strongest, positive", note(usage.positive), shown(examples.positive), _none(usage.positive)),
            Group("Strongest, negative", note(usage.negative), shown(examples.negative), _none(usage.negative)),
        ),
        beside=True,
    )
    names = _ORDINALS if len(examples.quantiles) == len(_ORDINALS) else tuple(map(str, range(1, 99)))
    bins = [
        Group(
            f"{name.capitalize()} fifth" if names is _ORDINALS else f"Part {name}",
            f"{signed_range(one.low, one.high)}, {note(one.entries)}",
            shown(one.examples),
        )
        for one, name in zip(reversed(examples.quantiles), reversed(names[: len(examples.quantiles)]), strict=True)
    ]
    quantiles = Section(
        bins,
        beside=True,
        title="From each part of its coefficients",
        note="parts of equal size, from the highest coefficient to the lowest; examples drawn at random",
    )
    example_list(
        [strongest, *([quantiles] if bins else [])],
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
    navigation.open_page(
        "Decompose", {"prompt": place.prompt, "token": place.token, "atom": st.session_state["atoms.atom"]}
    )
