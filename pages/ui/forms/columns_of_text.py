"""Which column of a table is read as the text, and how its first documents begin."""

from __future__ import annotations

import streamlit as st

from pages.ui.components.printable import visible
from pages.ui.frame import address, beforehand

ADDRESS = "column"  # what the address calls it


def choose(corpus: str, form: str) -> str:
    """Draws the choice where `corpus` names a file that has columns of text: the reference with the chosen one.

    form: begins the keys of what is drawn.
    """
    columns = beforehand.text_look(corpus).columns if corpus and not corpus.startswith("hf:") else None
    if columns is None:
        return corpus
    chosen, key = columns.named or columns.usual, f"{form}.column.{corpus}"
    chosen = chosen if chosen in columns.names else None

    def parse(given: str) -> str:
        if given not in columns.names:
            raise address.Refused("is no column of text in this file")
        return given

    address.arrive(ADDRESS, key, parse, chosen, within=(columns.names, chosen))
    picked = st.selectbox(
        "Column of the text",
        columns.names,
        index=None,
        format_func=lambda name: f"{visible(name)} (taken by default)" if name == columns.usual else visible(name),
        key=key,
        placeholder="Choose the column that holds the text",
        help="The file is a table; each row is a document, whose text stands in this column.",
    )
    address.leave(ADDRESS, key, picked, chosen)
    return corpus if picked is None else columns.reference(picked)


def forget() -> None:
    """Another file is named: the column in the address is of the one before."""
    address.query.pop(ADDRESS, None)


def first_rows(corpus: str, form: str, *, offline: bool = False) -> None:
    """Draws how the first documents of `corpus` begin, as they are."""
    rows = beforehand.text_look(corpus, offline=offline).rows if corpus else ()
    if rows:
        st.dataframe(
            {"How its first documents begin": [visible(row) for row in rows]},
            width="stretch",
            hide_index=True,
            key=f"{form}.rows",
        )
