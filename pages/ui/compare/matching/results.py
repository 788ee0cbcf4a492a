"""What a layer-matching study found: the table of all measures, and each measure's heatmap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from itda_core.comparison.matching.table import MatchTable, MeasureResult
from itda_core.comparison.measures.table import measure_named
from itda_core.figures import heatmaps
from itda_core.figures_as_text import figure, no_minus_zero
from itda_core.files.csv_export import frame_csv
from itda_core.runs.matching.run import remarks
from pages.ui.components.heatmap import heatmap
from pages.ui.components.printable import NONE
from pages.ui.frame.address import kept_choice

_PER_ROW = 2


def named(measure: str) -> str:
    """For people; the name itself of a measure that this version does not know."""
    known = measure_named(measure)
    return measure if known is None else known.title


def frame_of(table: MatchTable) -> pd.DataFrame:
    """One row per measure."""
    rows = []
    for measure in table.measures:
        accuracy = measure.accuracy
        low, high = accuracy.interval or (None, None)
        rows.append(
            {
                "measure": named(measure.name),
                "different models": accuracy.different_models,
                "low": low,
                "high": high,
                "all pairs": accuracy.all_pairs,
                "seconds": measure.seconds,
            }
        )
    return no_minus_zero(pd.DataFrame(rows), 4)


def show(table: MatchTable) -> None:
    """The table, what has to be known to read it, and the heatmaps side by side."""
    st.subheader("Layer matching", anchor=False)
    st.caption(
        "For every layer of one model: is the most similar layer of another model the same layer? The share of right "
        "answers (Kornblith 2019; the paper's table 1)."
    )
    share = st.column_config.NumberColumn
    st.dataframe(
        frame_of(table),
        hide_index=True,
        placeholder=NONE,
        key="match.table",
        height="content",
        column_config={
            "measure": st.column_config.TextColumn(pinned=True),
            "different models": share(format="percent", help="Over pairs of different models."),
            "low": share("95% from", format="percent", help="Wilson's interval, as if decisions were independent."),
            "high": share("to", format="percent"),
            "all pairs": share(
                format="percent",
                help="As published: each model is matched with itself too, always correctly.",
            ),
            "seconds": share(format="%.1f", help="The measure alone; the time to run the models is not counted."),
        },
    )
    for remark in remarks(table):
        st.text(remark)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        st.subheader("Measures side by side", anchor=False)
    with right:
        means = kept_choice(
            "Cells",
            "cells",
            {"mean": "Mean over pairs of models", "all": "All models"},
            key="match.cells",
            help="The mean over ordered pairs of different models, layer by layer, or every two layers of all models.",
        )
    columns = st.columns(_PER_ROW, gap="medium") if table.measures else []
    for number, measure in enumerate(table.measures):
        with columns[number % _PER_ROW]:
            st.markdown(f"**{named(measure.name)}**")
            if (known := measure_named(measure.name)) is not None:
                st.caption(known.caption)
            heatmap(
                cells(table, measure, means == "mean"),
                key=f"match.{measure.name}",
                file=f"similarity-{measure.name}",
                height=420,
            )


def cells(table: MatchTable, measure: MeasureResult, mean: bool) -> heatmaps.Cells:
    """One measure for a heatmap: layers by layers, or all layers of all models by each other."""
    values = np.array(measure.similarity, float)  # model, model, layer, layer
    n_models, n_layers = len(table.models), len(table.layers)
    layers = tuple(f"layer {layer}" for layer in table.layers)
    if mean and n_models > 1:
        different = ~np.eye(n_models, dtype=bool)
        shown = values[different].mean(axis=0)
        names = groups = layers
        told_of = "mean over pairs of different models"
    else:
        shown = values.transpose(0, 2, 1, 3).reshape(n_models * n_layers, n_models * n_layers)
        names = tuple(f"{model} {layer}" for model in table.models for layer in layers)
        groups = tuple(model for model in table.models for _ in layers)
        told_of = named(measure.name)
    apart = shown[~np.eye(len(shown), dtype=bool)] if not mean else shown
    written = [[figure(value, ".2f") for value in row] for row in shown]
    told = [
        [f"{one} ~ {other}\n{told_of} {figure(value, '.3f')}" for other, value in zip(names, row, strict=True)]
        for one, row in zip(names, shown, strict=True)
    ]
    if mean:
        groups = ()
    known = apart[np.isfinite(apart)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    above = np.eye(len(shown), dtype=bool) & (shown > high)
    grey, note = (above, "Grey: a layer beside itself, above the scale") if not mean and above.any() else (None, "")
    return heatmaps.Cells(
        names, names, shown, written, told, low, high, "similarity", groups, groups, apart=grey, apart_note=note
    )


def csv(table: MatchTable) -> str:
    """The layer-matching table, a row per measure."""
    return frame_csv(frame_of(table))
