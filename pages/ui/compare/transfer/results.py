"""What a transfer of labels found: a sentence, FVU layer by layer, labels by layers, and the whole table."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import streamlit as st

from itda_core.analysis.centring import relative_error_words
from itda_core.comparison.label_transfer.transfer import TransferTable
from itda_core.errors import UserError
from itda_core.figures import transfers
from itda_core.figures_as_text import no_minus_zero
from itda_core.files.csv_export import frame_csv
from itda_core.runs.transfer.words import verdict
from pages.ui.components.charts import chart_config
from pages.ui.components.heatmap import heatmap
from pages.ui.components.plain_text import notice, problem
from pages.ui.components.printable import NONE, visible
from pages.ui.frame.address import kept_choice

_SHORT_TABLE = 10  # rows shown without a scroll bar


def show(table: TransferTable) -> None:
    """All of it, at one of the k that were measured."""
    k = table.ks[0]
    if len(table.ks) > 1:
        k = int(kept_choice("Atoms per token (k)", "k", {str(k): str(k) for k in table.ks}, key="transfer.shown.k"))
    try:
        notice(visible(verdict(table, k)), key="transfer.verdict")
    except UserError as error:
        problem(error, key="transfer.verdict.problem")
        return
    _chart(table, k)
    if has_matrix(table):
        _heatmap(table, k)
    _whole_table(table)


def frame_of(found: TransferTable) -> pd.DataFrame:
    """One row per dictionary's labels, layer and k."""
    table = pd.DataFrame(
        [
            {
                "labels of": visible(cell.labels),
                "in": cell.place,
                "k": cell.k,
                "FVU": cell.fvu,
                "own FVU": cell.own_fvu,
                "random FVU": cell.random_fvu,
                "sd": cell.random_sd,
                "gain": cell.gain,
                "relative error": cell.relative_error,
                "L0": cell.l0,
                "usable": cell.comparable,
                "atoms": cell.atoms,
                "own atoms": cell.own_atoms,
            }
            for cell in found.cells
        ]
    )
    return no_minus_zero(table, 4)


def csv(table: TransferTable) -> str:
    """All that was measured, under the names of `itda transfer --json`, one cell a line."""
    alike = {"corpus": table.corpus, "held_out": table.held_out, "draws": table.draws}
    return frame_csv(pd.DataFrame([{**cell.to_dict(), **alike} for cell in table.cells]))


def has_matrix(table: TransferTable) -> bool:
    """Whether there are several dictionaries' labels, and several layers they went into."""
    rows, columns = table.matrix("fvu", table.ks[0]).shape
    return rows > 1 and columns > 1


def _chart(table: TransferTable, k: int) -> None:
    st.subheader("Layer by layer", anchor=False)
    st.plotly_chart(transfers.fvu_by_layer(table, k), key="transfer.layers", config=chart_config(f"transfer-k{k}"))
    cells = table.paired(k)
    alike = [cell.labels_layer == cell.layer for cell in cells]
    whose = "labels of the same layer"
    if not all(alike):
        whose = f"{whose}, or, where there are none, those that explain it best" if any(alike) else "labels"
    words = [
        f"Fraction of variance unexplained, of {table.tokens:,} held-out tokens: lower is better. Left: {whose}, "
        "rebuilt from the other model's activations"
        + ("; circles: labels of other layers." if has_matrix(table) else ".")
    ]
    if any(cell.own_fvu is not None for cell in cells):
        words.append("Middle: the other model's own dictionary.")
    if table.draws:
        words.append(
            "Right: as many single places of the labels' text drawn at random, mean and standard deviation of "
            f"{table.draws} draws."
            if table.draws > 1
            else "Right: as many single places of the labels' text drawn at random, once."
        )
    st.caption(" ".join(words))


CELLS: dict[str, str] = {"below_random": "Below random", "gain": "Gain recovered", "fvu": "FVU"}


def _heatmap(table: TransferTable, k: int) -> None:
    known = {name: word for name, word in CELLS.items() if any(getattr(cell, name) is not None for cell in table.at(k))}
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        st.subheader("Labels of every layer in every layer", anchor=False)
        st.caption("A row is the layer the labels come from, a column the other model's layer they are rebuilt in.")
    with right:
        figure = kept_choice(
            "Cells",
            "cells",
            known,
            key="transfer.cells",
            help="Below random: the share that the labels explain of what random places leave unexplained. Gain "
            "recovered: of what the model's own dictionary gains over random places, the share that the labels gain; "
            "it is empty where that dictionary gains nothing.",
        )
    heatmap(
        transfers.cells(table, k, named_figure(figure)),
        key="transfer.heatmap",
        file=f"transfer-{figure}-k{k}",
        height=420,
    )


def named_figure(figure: str) -> Literal["below_random", "gain", "fvu"]:
    """The figure of that name; the first one for any other."""
    return "gain" if figure == "gain" else "fvu" if figure == "fvu" else "below_random"


def _whole_table(table: TransferTable) -> None:
    number = st.column_config.NumberColumn
    st.dataframe(
        frame_of(table),
        hide_index=True,
        placeholder=NONE,
        key="transfer.table",
        height="content" if len(table.cells) <= _SHORT_TABLE else 387,
        column_config={
            "labels of": st.column_config.TextColumn(pinned=True),
            "in": st.column_config.TextColumn(help="The place in the other model: a layer or a module."),
            "k": number(format="%d", width=50),
            "FVU": number(format="%.4f", help="Of the rebuilt dictionary: fraction of variance unexplained."),
            "own FVU": number(format="%.4f", help="Of the model's own dictionary of that layer, from the library."),
            "random FVU": number(
                format="%.4f",
                help="Of as many single places drawn at random, mean over the draws.",
            ),
            "sd": number(format="%.4f", help="Standard deviation of the draws."),
            "gain": number(
                "gain recovered", format="percent", help="0%: as random places; 100%: as the model's own dictionary."
            ),
            "relative error": number(
                format="%.4f", help=f"Mean over the tokens, 0 to 1: {relative_error_words(None)}."
            ),
            "L0": number("L0 (atoms)", format="%.2f", help="Mean number of different atoms a token uses."),
            "usable": number(
                "labels usable",
                format="percent",
                help="The share of labels whose place the other model reads too and that gave an atom. It is below "
                "100% with another tokenizer, or where labels lie at attention sinks.",
            ),
            "atoms": number(format="localized", width="small", help="Of the rebuilt dictionary, and of each draw."),
            "own atoms": number(format="localized", width="small", help="Of the model's own dictionary."),
        },
    )
