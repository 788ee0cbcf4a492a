"""An attribution as pictures: token by layer, and what was predicted beside what removing an atom really does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from itda_core.figures.charts import GRID, INDIGO, as_written, style
from itda_core.figures.heatmaps import Cells
from itda_core.figures_as_text import figure as figure_of
from itda_core.figures_as_text import signed
from itda_core.printable import visible_token

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from itda_core.analysis.interventions.attribute import Attribution, LayerAttribution

_LINE = "rgba(128,128,140,0.55)"


def token_by_layer(found: Attribution) -> Cells:
    """The sum of the atoms' effects of each token at each layer, the last layer on top; hovering tells all parts.

    Tokens behind the one behind which is predicted have no part in it and are left out.
    """
    n = found.token + 1
    layers = found.layers[::-1]
    values = np.array([layer.by_token[:n] for layer in layers], dtype=np.float64)
    top = float(np.abs(values).max(initial=0.0)) or 1.0
    return Cells(
        rows=tuple(f"layer {layer.layer}" if layer.layer is not None else layer.site for layer in layers),
        columns=tuple(visible_token(token).strip() or "·" for token in found.tokens[:n]),
        values=values,
        written=[[signed(value, "+.1f") for value in row] for row in values],
        hover=[[_told(found, layer, token) for token in range(n)] for layer in layers],
        low=-top,
        high=top,
        title="effect of atoms",
        two_sided=True,
    )


def _told(found: Attribution, layer: LayerAttribution, token: int) -> str:
    parts = [part for part in layer.parts if part.token == token]
    lines = [
        f"{layer.dictionary}, token {token} “{visible_token(found.tokens[token])}”",
        f"{len(parts)} atoms {signed(layer.by_token[token], '+.3f')}",
        f"mean {signed(layer.mean[token], '+.3f')}",
        f"not explained {signed(layer.error[token], '+.3f')}",
    ]
    if parts:
        lines.append(f"strongest: atom {parts[0].atom} {signed(parts[0].effect, '+.3f')}")
    return "\n".join(lines)


def checked(found: Attribution, *, layer: int = 0, height: int = 260) -> go.Figure:
    """What the effects predict beside what removing really changes, a point for each atom that was removed.

    On the line both are equal. layer: which of the attribution's layers, by its place.
    """
    import plotly.graph_objects as go

    removed = found.layers[layer].checked
    ends = [value for one in removed for value in (one.predicted, one.measured)] or [0.0]
    low, high = min(0.0, *ends), max(0.0, *ends)
    figure = go.Figure()
    figure.add_scatter(
        x=[low, high],
        y=[low, high],
        mode="lines",
        line={"color": _LINE, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=[one.predicted for one in removed],
        y=[one.measured for one in removed],
        mode="markers",
        marker={"color": INDIGO, "size": 8, "opacity": 0.8},
        customdata=[
            [one.atom, one.token, as_written(visible_token(found.tokens[one.token]))]
            + [signed(value, "+.3f") for value in (one.predicted, one.measured)]
            for one in removed
        ],
        hovertemplate=(
            "atom %{customdata[0]} at token %{customdata[1]}, %{customdata[2]}<br>"
            "predicted %{customdata[3]}, really %{customdata[4]}<extra></extra>"
        ),
        showlegend=False,
    )
    x = {"title": "predicted change when removed", "gridcolor": GRID}
    style(figure, y_title="what it really does", height=height, x=x)
    return figure


def agreement(layer: LayerAttribution) -> str:
    """How well effects and removal agree, in a sentence; "" where that is not known."""
    if layer.rank_correlation is None:
        return ""
    return (
        f"Of the {len(layer.checked)} strongest, effect and removal agree by a rank correlation of "
        f"{figure_of(layer.rank_correlation, '.2f')}."
    )
