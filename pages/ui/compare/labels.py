"""Dictionaries compared by their labels: whether they can be, the heatmap, and the labels behind one cell."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from itda_core.errors import UserError
from itda_core.runs.library import LibraryEntry
from pages.ui.compare import cell as compare_cell
from pages.ui.compare import choice as compare_choice
from pages.ui.compare import matrix as compare_matrix
from pages.ui.compare import options as compare_options
from pages.ui.components.plain_text import problem
from pages.ui.frame import address, shell
from pages.ui.frame.address import Listed


def page(frame: shell.Shell) -> None:
    """Draw dictionaries compared by their labels."""
    entries = compare_choice.choose(frame)
    options = compare_options.options(len(entries), compare_matrix.text_to_count(entries))
    try:
        with st.spinner("Comparing…", show_time=True):
            found = compare_matrix.compared(entries, options)
    except UserError as error:
        shell.complain()
        problem(error, key="compare.problem")
        frame.share(_kept(frame, entries))
        return
    cell = compare_matrix.arrive_cell(found, frame.named)
    shell.complain()
    compare_matrix.comparability(found)
    parts = compare_cell.differences(found, cell)
    left, right = st.columns([6, 5], gap="large")
    with left:  # first: it is what a page that opens is waited for
        compare_matrix.heatmap(found, cell)
    with right:
        compare_cell.figures(found, cell)
        compare_cell.places(found, cell, parts)
    compare_matrix.terminal(found)
    shown = str(Listed(found.matrix.labels[i] for i in cell))
    frame.share({**_kept(frame, entries), "cell": shown, "part": address.query.get("part")})
    frame.export(
        {
            **compare_matrix.exports(found, lambda: compare_cell.passages(found, cell, parts)),
            "Labels of the cell (CSV)": ("labels.csv", "text/csv", lambda: compare_cell.csv(parts)),
        }
    )


def _kept(frame: shell.Shell, entries: Sequence[LibraryEntry]) -> dict[str, object]:
    """What of the address says what is compared, and how."""
    kept = address.held(compare_options.ADDRESS)
    if not compare_choice.is_default(entries, frame):
        kept["dictionaries"] = Listed(entry.name for entry in entries)
    return kept
