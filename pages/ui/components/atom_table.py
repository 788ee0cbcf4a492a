"""One page of a table of atoms: a row opens its atom, a title sorts all of them, not only the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from itda_core.analysis.in_common import Seen
from pages.ui.components.component import component
from pages.ui.components.printable import visible, visible_token

_component = component("atom_table")
_NARROW = 5  # columns that fit into half a page


class Column(NamedTuple):
    """A column, and how it is sorted."""

    name: str  # "label" is the atom's token in its context
    title: str
    width: str  # of a CSS grid
    number: bool = True
    sorts: bool = True
    help: str = ""


class Row(NamedTuple):
    """An atom."""

    atom: int
    label: Seen
    cells: Mapping[str, str]  # by the columns' names


def atom_table(
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    empty: str,
    on_open: Callable[[int], None],
    key: str,
    sort: str = "",
    descending: bool = True,
    on_sort: Callable[[str], None] = lambda _: None,
    label: str = "Atoms",
) -> None:
    """Draws `rows`; `on_open` gets the atom of one, `on_sort` the name of a column. label: for screen readers."""
    data: dict[str, Any] = {
        "label": label,
        "columns": [column._asdict() for column in columns],
        "narrow": len(columns) <= _NARROW,
        "sort": sort,
        "descending": descending,
        "empty": empty,
        "rows": [
            {
                "atom": row.atom,
                "before": visible(row.label.context_before[-60:]),
                "token": visible_token(row.label.token),
                "after": visible(row.label.context_after[:40]),
                "cells": dict(row.cells),
            }
            for row in rows
        ],
    }

    def sorted_by() -> None:
        hit = st.session_state[key].get("sort")
        if hit is not None and any(column.name == hit["column"] and column.sorts for column in columns):
            on_sort(str(hit["column"]))

    def opened() -> None:
        hit = st.session_state[key].get("open")
        if hit is not None:
            on_open(int(hit["atom"]))

    _component(data=data, key=key, on_sort_change=sorted_by, on_open_change=opened)
