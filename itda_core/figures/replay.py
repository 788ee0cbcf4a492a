"""The pursuit replayed, as a chart: the error that is left after each atom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from itda_core.figures.charts import as_written, style
from itda_core.figures_as_text import signed
from itda_core.printable import visible_token

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from itda_core.analysis.replay import Replay

_POSITIVE, _NEGATIVE = "rgba(99,102,241,0.6)", "rgba(234,88,12,0.65)"  # the sign of a coefficient
_PINNED = "#7875f5"  # a ring that is seen on a light page and on a dark one
_LONGEST_NAME = 12  # characters
_MOST_NAMED_STEPS = 10  # more tick labels than that would overlap


def error_by_step(replay: Replay, sources: Mapping[int, str], *, pinned: int | None = None) -> go.Figure:
    """Relative error after 1, 2, … atoms, one bar each; `sources` names atoms by their source token.

    A bar is orange where its atom's coefficient is negative; the one of the atom `pinned` has a ring and a bold name.
    """
    import plotly.graph_objects as go

    steps = replay.steps
    names = [_source(sources.get(step.atom, "")) for step in steps]
    chosen = [step.atom == pinned for step in steps]
    figure = go.Figure(
        go.Bar(
            x=[step.step for step in steps],
            y=[step.relative_error for step in steps],
            marker={
                "color": [_NEGATIVE if step.coefficient < 0 else _POSITIVE for step in steps],
                "line": {"color": _PINNED, "width": [3 if one else 0 for one in chosen]},
                "cornerradius": 3,
            },
            customdata=[[step.atom, name, signed(step.coefficient)] for step, name in zip(steps, names, strict=True)],
            hovertemplate=(
                "step %{x}: atom %{customdata[0]}, from %{customdata[1]}<br>coefficient %{customdata[2]}<br>"
                "error left %{y:.4f}<extra></extra>"
            ),
        )
    )
    named = len(steps) <= _MOST_NAMED_STEPS
    x = {
        "showgrid": False,
        "tickmode": "array" if named else "auto",
        "tickvals": [step.step for step in steps] if named else None,
        "ticktext": [f"<b>{name}</b>" if one else name for name, one in zip(names, chosen, strict=True)]
        if named
        else None,
        "tickangle": -40 if named else 0,
        "title": None if named else "atoms",
    }
    style(figure, y_title="error left", height=250, x=x, y={"rangemode": "tozero"})
    return figure


def _source(token: str) -> str:
    shown = visible_token(token).strip(" ")
    return as_written(shown if len(shown) <= _LONGEST_NAME else shown[: _LONGEST_NAME - 1] + "…")
