"""Transfers of labels as figures: FVU per layer, and labels by layers as a heatmap.

As in module figures, every text that is not ours is escaped: Plotly parses a little HTML in labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from itda_core.figures.charts import ABOVE, INDIGO, ORANGE, as_written, style
from itda_core.figures.heatmaps import Cells
from itda_core.figures_as_text import figure as figure_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from itda_core.comparison.label_transfer.transfer import Transfer, TransferTable

_GREY = "#8b93a3"
_WIDTH = 0.26  # of a bar, where layers are 1 apart
_TITLES = {
    "below_random": "FVU below random places",
    "gain": "gain recovered",
    "fvu": "FVU (lower is better)",
}


def fvu_by_layer(table: TransferTable, k: int, *, height: int = 380) -> go.Figure:
    """Three bars for each layer of the model: the labels rebuilt there, its own dictionary, random places.

    The labels are those of the same layer (`TransferTable.paired`); all others are points over their bar. Random places
    have the mean of the draws, and one standard deviation to each side.
    """
    import plotly.graph_objects as go

    paired = table.paired(k)
    places = list(dict.fromkeys(cell.place for cell in paired))
    others = [cell for cell in table.at(k) if all(cell is not one for one in paired)]
    figure = go.Figure()
    _bars(figure, "labels rebuilt", INDIGO, -_WIDTH, places, paired, [cell.fvu for cell in paired])
    _bars(figure, "its own dictionary", ORANGE, 0.0, places, paired, [cell.own_fvu for cell in paired])
    spread = {
        "type": "data",
        "array": [cell.random_sd or 0.0 for cell in paired],
        "color": "rgba(128, 128, 140, 0.95)",
        "thickness": 1.5,
        "width": 5,
    }
    drawn = [cell.random_fvu for cell in paired]
    _bars(figure, "random places", _GREY, _WIDTH, places, paired, drawn, error_y=spread)
    if others:
        figure.add_scatter(
            x=[places.index(cell.place) - _WIDTH for cell in others],
            y=[cell.fvu for cell in others],
            mode="markers",
            name="labels of other layers",
            marker={
                "size": 7,
                "color": "#ffffff",
                "line": {"width": 1.5, "color": INDIGO},
            },  # seen on their bar as well
            text=[_hover(cell) for cell in others],
            hovertemplate="%{text}<extra></extra>",
        )
    x = {
        "tickmode": "array",
        "tickvals": list(range(len(places))),
        "ticktext": [as_written(place) for place in places],
        "range": [-0.6, len(places) - 0.4],
        "showgrid": False,
    }
    fvu = "FVU (fraction of variance unexplained)"
    style(figure, y_title=fvu, height=height, x=x, y={"rangemode": "tozero"}, barmode="overlay", legend=ABOVE)
    return figure


def _bars(
    figure: go.Figure,
    name: str,
    colour: str,
    offset: float,
    places: list[str],
    cells: Sequence[Transfer],
    values: Sequence[float | None],
    **more: Any,
) -> None:
    """Bars beside the middle of each cell's layer; none at all where no cell has a value."""
    if all(value is None for value in values):
        return
    figure.add_bar(
        x=[places.index(cell.place) + offset for cell in cells],
        y=list(values),
        width=_WIDTH * 0.92,
        name=name,
        marker={"color": colour, "cornerradius": 3},
        text=[_hover(cell) for cell in cells],
        textposition="none",
        hovertemplate="%{text}<extra></extra>",
        **more,
    )


def cells(table: TransferTable, k: int, figure: Literal["below_random", "gain", "fvu"]) -> Cells:
    """One figure at k as the cells of a heatmap: a row for each dictionary's labels, a column for each layer."""
    values = table.matrix(figure, k)
    n_rows, n_columns = values.shape
    at = table.at(k)
    rows = [at[i * n_columns : (i + 1) * n_columns] for i in range(n_rows)]
    known = values[~np.isnan(values)]
    percent = figure != "fvu"
    return Cells(
        rows=tuple(row[0].labels_place for row in rows),
        columns=tuple(cell.place for cell in rows[0]),
        values=values,
        written=[["" if np.isnan(v) else _percent(v) if percent else f"{v:.3f}" for v in row] for row in values],
        hover=[[_plain(cell) for cell in row] for row in rows],
        low=float(known.min()) if known.size else 0.0,
        high=float(known.max()) if known.size else 1.0,
        title=_TITLES[figure],
        percent=percent,
    )


def _percent(value: float) -> str:
    return figure_of(value, ".0%")


def _hover(cell: Transfer) -> str:
    """As `_plain`, for Plotly's little HTML."""
    return "<br>".join(map(as_written, _plain(cell).split("\n")))


def _plain(cell: Transfer) -> str:
    """What hovering tells of a cell; a line for each figure."""
    lines = [f"{cell.labels} in {cell.model} {cell.place}, k = {cell.k}"]
    if cell.fvu is not None:
        lines.append(f"FVU {cell.fvu:.4f}, {cell.atoms:,} atoms, {cell.comparable:.0%} of the labels usable")
    if cell.own_fvu is not None:
        lines.append(f"its own dictionary {cell.own_fvu:.4f}, {cell.own_atoms:,} atoms")
    if cell.random_fvu is not None:
        spread = "" if cell.random_sd is None else f" ± {cell.random_sd:.4f}"
        lines.append(f"random places {cell.random_fvu:.4f}{spread}")
    if cell.gain is not None:
        lines.append(f"{figure_of(cell.gain, '.0%')} of its own gain over random places")
    return "\n".join(lines)
