"""Results as plotly figures.

Figures leave background and text to the page they are put in, so that they suit a light and a dark one. Plotly parses
a little HTML in labels: every text that is not ours is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

from itda_core.figures_as_text import figure as figure_of
from itda_core.figures_as_text import signed
from itda_core.pursuit.methods import NAMES

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from itda_core.analysis import Evaluation

INDIGO, ORANGE = "#6366f1", "#f97316"
LINES = (INDIGO, ORANGE, "#10b981", "#ec4899", "#0ea5e9", "#eab308", "#8b5cf6", "#64748b")
# A line is told from the others without its colour as well: by its dashes, or by the marks on it.
_STROKES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "hexagon", "triangle-down")
GRID = "rgba(128, 128, 140, 0.22)"
ABOVE = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"}  # a legend
_AXIS = {"automargin": True, "fixedrange": True, "zeroline": False, "ticklabeloverflow": "allow"}
_MOST_NAMED_STEPS = 10  # more tick labels than that would overlap

_READ = "tokens read"


def curves(
    tokens: Sequence[int],
    lines: Mapping[str, Sequence[float | None]],
    *,
    y_title: str,
    x_title: str = _READ,
    decimals: int = 0,
    height: int = 240,
) -> go.Figure:
    """One line per name over the number of tokens read, or what else `x_title` says; several have a legend."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for number, (name, values) in enumerate(lines.items()):
        figure.add_scatter(
            x=list(tokens),
            y=list(values),
            name=as_written(name),
            mode="lines" if len(tokens) > 1 else "markers",
            line={"color": LINES[number % len(LINES)], "width": 2, "dash": _STROKES[number % len(_STROKES)]},
            marker={"symbol": _SYMBOLS[number % len(_SYMBOLS)]},
            hovertemplate=f"%{{y:,.{decimals}f}}",
        )
    from_zero = "tozero" if x_title == _READ else "normal"
    style(
        figure,
        y_title=y_title,
        height=height,
        x={"title": x_title, "showgrid": False, "tickformat": "~s", "hoverformat": ",", "rangemode": from_zero},
        y={"rangemode": "tozero"},
        hovermode="x unified",
        showlegend=len(lines) > 1,
        legend=ABOVE,
    )
    return figure


_EVALUATED = {
    "fvu": "FVU (fraction of variance unexplained)",
    "ce_score": "CE score (1: nothing lost, 0: as bad as zeros)",
}
_OVER = {"k": "k (atoms per token)", "layer": "layer", "atoms": "size of the dictionary (atoms)"}
_LINES_OF = {
    "k": ("dictionary", "method"),
    "layer": ("model", "site", "k", "method"),
    "atoms": ("model", "layer", "site", "k", "method"),
}
_LEGEND_ROW, _NAMES_PER_ROW = 20, 3  # pixels; in a chart of half a page
_DASHES = dict(zip(NAMES, cycle(_STROKES), strict=False))
_SHAPES = dict(zip(NAMES, cycle(_SYMBOLS), strict=False))
_FILLS = ("", "-open", "-open-dot", "-dot")  # of a shape


def evaluations(
    results: Sequence[Evaluation],
    quantity: Literal["fvu", "ce_score"],
    over: Literal["k", "layer", "atoms"],
    *,
    height: int = 340,
) -> go.Figure:
    """A figure of several evaluations against k, layer or size; a line joins those that differ in nothing else.

    Lines are named by what tells them apart; a pursuit has its own dashes, all else its own colour and marks. Over
    size, and wherever points are not joined so that no dash is seen, a pursuit has the shape of its marks, all else
    their colour and fill. Results without the figure, or without a layer, are left out.
    """
    import plotly.graph_objects as go

    parts = _LINES_OF[over]
    lines: dict[tuple[str, ...], list[Evaluation]] = {}
    for result in results:
        if getattr(result, quantity) is not None and getattr(result, over) is not None:
            lines.setdefault(tuple(_part(result, part) for part in parts), []).append(result)
    differing = [i for i in range(len(parts)) if len({name[i] for name in lines}) > 1]
    coloured = [i for i in differing if parts[i] != "method"]
    numbers: dict[tuple[str, ...], int] = {}
    joined = {name: len({getattr(one, over) for one in members}) == len(members) for name, members in lines.items()}
    shaped = "method" in {parts[i] for i in differing} and (over == "atoms" or not all(joined.values()))
    figure = go.Figure()
    for name, members in lines.items():
        members = sorted(members, key=lambda result: (getattr(result, over), getattr(result, quantity)))
        number = numbers.setdefault(tuple(name[i] for i in coloured), len(numbers))
        figure.add_scatter(
            x=[getattr(result, over) for result in members],
            y=[getattr(result, quantity) for result in members],
            name=" · ".join(as_written(name[i]) for i in differing),
            mode="lines+markers" if joined[name] else "markers",  # two at one place: no line leads on
            line={"color": LINES[number % len(LINES)], "width": 2, "dash": _DASHES.get(members[0].method, "solid")},
            marker={"size": 8, "symbol": _symbol(number, members[0].method if shaped else None)},
            customdata=[_told(result, quantity) for result in members],
            hovertemplate=(
                "%{customdata[0]}<br>k = %{customdata[1]}, %{customdata[2]}, %{customdata[3]} tokens<br>"
                "%{y:.4f}%{customdata[4]}<extra></extra>"
            ),
        )
    rows = (len(lines) - 1) // _NAMES_PER_ROW if differing else 0
    places = sorted({getattr(result, over) for members in lines.values() for result in members})
    named = over != "atoms" and len(places) <= _MOST_NAMED_STEPS
    style(
        figure,
        y_title=_EVALUATED[quantity],
        height=height + rows * _LEGEND_ROW,
        x={"title": _OVER[over], "showgrid": False, "tickvals": places if named else None, "tickformat": ",d"},
        y={"rangemode": "tozero"} if quantity == "fvu" else None,
        showlegend=bool(differing),
        legend=ABOVE,
    )
    return figure


def _symbol(number: int, method: str | None) -> str:
    """The mark of line `number`; with a pursuit it has that one's shape, and the number only its fill."""
    if method is None:
        return _SYMBOLS[number % len(_SYMBOLS)]
    return f"{_SHAPES.get(method, _SYMBOLS[-1])}{_FILLS[number % len(_FILLS)]}"


def _told(result: Evaluation, quantity: str) -> list[object]:
    """What hovering says of one result, and of a CE score what it costs."""
    cost = _cost(result) if quantity == "ce_score" else ""
    return [as_written(_part(result, "dictionary")), result.k, result.method.upper(), f"{result.tokens:,}", cost]


def _cost(result: Evaluation) -> str:
    """What a CE score may hide, for the hover: the rise of the loss, and KL."""
    rise = "" if result.ce_rise is None else f"<br>loss {signed(result.ce_rise, '+.4f')} nats"
    return rise if result.kl is None else f"{rise}<br>KL {figure_of(result.kl, '.4f')} nats"


def _part(result: Evaluation, name: str) -> str:
    """What tells one line from another, in words."""
    value = getattr(result, name)
    if name == "dictionary":
        return PurePath(value).name
    return {"layer": f"layer {value}", "k": f"k = {value}", "method": str(value).upper()}.get(name, str(value))


def as_written(text: str) -> str:
    """`text` such that Plotly shows it and parses nothing of it. It knows no &quot;, and would show that."""
    return escape(text, quote=False)


def style(
    figure: go.Figure,
    *,
    y_title: str,
    height: int,
    x: Mapping[str, Any] | None = None,
    y: Mapping[str, Any] | None = None,
    **layout: Any,
) -> None:
    """What all charts over numbers have in common, and what else one has: of its axes, of its layout.

    All in one call that overwrites: Plotly looks up each value that it merges, which takes five times as long.
    """
    figure.update_layout(
        {
            "height": height,
            "margin": {"l": 8, "r": 8, "t": 12, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "bargap": 0.22,
            "dragmode": False,
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "rgba(128,128,140,0.55)", "activecolor": INDIGO},
            "xaxis": {**_AXIS, **(x or {})},
            "yaxis": {**_AXIS, "gridcolor": GRID, "title": y_title, **(y or {})},
            **layout,
        },
        overwrite=True,
    )
