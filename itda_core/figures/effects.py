"""What atoms do to a prediction, as charts: effects by token, and a change over its strength."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from itda_core.figures.charts import INDIGO, as_written, style
from itda_core.figures_as_text import signed
from itda_core.printable import visible_token

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from itda_core.analysis.interventions.attribute import Attribution
    from itda_core.analysis.interventions.effect import CurvePoint

_AGAINST = "#ea580c"  # of what lowers the target, as of negative coefficients
_ERROR, _MEAN = "rgba(128,128,140,0.55)", "rgba(128,128,140,0.28)"
_MOST_NAMED = 48  # tokens; more names than that would overlap


def by_token(found: Attribution, *, layer: int = 0, height: int = 260) -> go.Figure:
    """The effect of each token's atoms, raising and lowering, of its unexplained part and of the mean.

    layer: which of the attribution's layers, by its place. Special tokens are left out where nothing is theirs.
    """
    import plotly.graph_objects as go

    one = found.layers[layer]
    n = len(found.tokens)
    raising, lowering = [0.0] * n, [0.0] * n
    for part in one.parts:
        (raising if part.effect > 0 else lowering)[part.token] += part.effect
    names = [as_written(visible_token(token)).strip() or "·" for token in found.tokens]
    figure = go.Figure()
    for name, values, colour in (
        ("atoms that raise it", raising, INDIGO),
        ("atoms that lower it", lowering, _AGAINST),
        ("not explained", one.error, _ERROR),
        ("mean", one.mean, _MEAN),
    ):
        figure.add_bar(
            name=name,
            x=list(range(n)),
            y=list(values),
            marker={"color": colour},
            customdata=[[label, signed(value, "+.3f")] for label, value in zip(names, values, strict=True)],
            hovertemplate="token %{x}, %{customdata[0]}<br>" + name + " %{customdata[1]}<extra></extra>",
        )
    few = n <= _MOST_NAMED
    x = {
        "showgrid": False,
        "tickmode": "array" if few else "auto",
        "tickvals": list(range(n)) if few else None,
        "ticktext": names if few else None,
        "tickangle": -40 if few else 0,
        "title": None if few else "token",
    }
    legend = {"orientation": "h", "y": 1.12, "x": 0}
    style(figure, y_title="effect", height=height, x=x, barmode="relative", legend=legend)
    return figure


def over_strength(
    points: Sequence[CurvePoint], *, token: str, chosen: float, unit: str = "", height: int = 220
) -> go.Figure:
    """KL, and the probability of the next token `token`, over the strength; `chosen` is the strength that is shown.

    unit: of the strength, as it stands below the axis.
    """
    import plotly.graph_objects as go

    figure = go.Figure(data=[_probability(points, token), {**_kl(points), "yaxis": "y2"}])
    style(
        figure,
        y_title="probability",
        height=height,
        x={"title": f"strength, {unit}" if unit else "strength", "showgrid": False},
        y={"rangemode": "tozero"},
        legend={"orientation": "h", "y": 1.16, "x": 0},
        yaxis2={
            "overlaying": "y",
            "side": "right",
            "title": "KL",
            "rangemode": "tozero",
            "showgrid": False,
            "tickmode": "auto",
        },
    )
    figure.add_vline(x=chosen, line={"color": _ERROR, "width": 2})
    return figure


def parts_over_strength(points: Sequence[CurvePoint], *, token: str) -> tuple[go.Figure, go.Figure]:
    """`over_strength` as two figures of one axis each: the probability, and KL."""
    import plotly.graph_objects as go

    probability, kl = go.Figure(data=[_probability(points, token)]), go.Figure(data=[_kl(points)])
    for figure, title in ((probability, "probability"), (kl, "KL, nats")):
        style(figure, y_title=title, height=220, x={"title": "strength"}, y={"rangemode": "tozero"})
    return probability, kl


def _probability(points: Sequence[CurvePoint], token: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": f"probability of {as_written(visible_token(token)).strip() or '·'}",
        "x": [point.strength for point in points],
        "y": [point.probability for point in points],
        "line": {"color": INDIGO},
        "hovertemplate": "strength %{x:.2f}<br>probability %{y:.3f}<extra></extra>",
    }


def _kl(points: Sequence[CurvePoint]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": "KL, nats",
        "x": [point.strength for point in points],
        "y": [point.kl for point in points],
        "line": {"color": _AGAINST, "dash": "dot"},
        "hovertemplate": "strength %{x:.2f}<br>KL %{y:.3f}<extra></extra>",
    }
