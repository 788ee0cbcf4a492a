"""A matrix as coloured cells that can be clicked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st

from itda_core.figures.heatmaps import Cells, short
from pages.ui.components.answered import answered, choice
from pages.ui.components.component import component
from pages.ui.components.printable import visible

_component = component("heatmap")


def heatmap(
    cells: Cells,
    *,
    key: str,
    file: str,
    chosen: tuple[int, int] | None = None,
    on_pick: Callable[[int, int], None] | None = None,
    height: int = 0,
) -> None:
    """One cell per row and column, with its value where there is room, and what is told of it on hover.

    - `chosen` has a frame around it; with `on_pick` a click or an arrow key chooses a cell and calls it with its row
      and column;
    - file: what a saved PNG is called, without its ending;
    - height: pixels; 0: as many as the rows need.
    """
    data: dict[str, Any] = {
        "rows": [visible(short(name)) for name in cells.rows],
        "columns": [visible(short(name)) for name in cells.columns],
        "values": [[None if np.isnan(value) else value for value in row] for row in cells.values.tolist()],
        "written": [list(row) for row in cells.written],
        "told": [["\n".join(map(visible, told.split("\n"))) for told in row] for row in cells.hover],
        "apart": None if cells.apart is None else cells.apart.tolist(),
        "apart_note": visible(cells.apart_note),
        "low": cells.low,
        "high": cells.high,
        "title": cells.title,
        "percent": cells.percent,
        "two_sided": cells.two_sided,
        "row_edges": _edges(cells.row_groups),
        "column_edges": _edges(cells.column_groups),
        "chosen": None if chosen is None else list(chosen),
        "answered": answered(key),
        "pickable": on_pick is not None,
        "label": f"{cells.title} of {len(cells.rows)} rows and {len(cells.columns)} columns",
        "file": file,
        "dark": st.context.theme.type == "dark",
        "height": height,
    }

    def picked() -> None:
        hit = choice(key)
        if hit is not None and on_pick is not None:
            on_pick(int(hit["row"]), int(hit["column"]))

    _component(data=data, key=key, on_pick_change=picked)


def _edges(groups: Sequence[str]) -> list[int]:
    """Where one group ends and another begins."""
    return [i for i in range(1, len(groups)) if groups[i] != groups[i - 1]]
