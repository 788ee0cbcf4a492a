"""An atom's use over a text as charts: its coefficients, where in the window it comes, in which kinds of document.

As in module charts, every text that is not ours is escaped: Plotly parses a little HTML in labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from itda_core.figures.charts import INDIGO, LINES, as_written, style
from itda_core.figures_as_text import signed
from itda_core.printable import visible, visible_token

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go

    from itda_core.analysis.atoms.usage import Histogram, Stretch

NEGATIVE = "#ea580c"  # of coefficients, as in the rows of tokens
GREY = "#8b93a3"
_LONGEST = 22  # characters of a kind's name beside its bar
MOST_HOVERED = 8_000  # points; what more of them say on hover would be megabytes
_HEIGHT = 240
_BUTTONS = 34  # pixels above the bars, for the chart's own buttons
# Where Plotly is to find the margins itself, it draws each chart twice, and there are four of them on one page.
_MARGIN = {"l": 56, "r": 8, "t": _BUTTONS, "b": 46}
_FIXED = {"automargin": False}
_LOG = {"type": "log", "dtick": 1, "tickformat": "~s"}


def coefficients(histogram: Histogram, *, still: bool = False, height: int = _HEIGHT) -> go.Figure:
    """How many tokens have the atom with a coefficient between two values, by sign; counts on a log scale.

    still: for svg.chart, which knows no log scale: the bars are the logarithms themselves.
    """
    import math

    import plotly.graph_objects as go

    figure = go.Figure()
    edges = histogram.edges
    for name, colour, below in (("negative", NEGATIVE, True), ("positive", INDIGO, False)):
        bins = [i for i, count in enumerate(histogram.counts) if count and (edges[i + 1] <= 0) == below]
        if not bins:
            continue
        figure.add_bar(
            name=name,
            x=[(edges[i] + edges[i + 1]) / 2 for i in bins],
            y=[math.log10(1 + histogram.counts[i]) if still else histogram.counts[i] for i in bins],
            width=(edges[bins[0] + 1] - edges[bins[0]]) * 0.94,  # all of one sign are as wide
            marker={"color": colour},
            customdata=[[signed(edges[i]), signed(edges[i + 1])] for i in bins],
            hovertemplate="%{customdata[0]} to %{customdata[1]}<br>%{y:,} tokens<extra></extra>",
        )
    top = max(histogram.counts, default=1)
    style(
        figure,
        y_title="log10(1 + tokens)" if still else "tokens (log)",
        height=height,
        x={**_FIXED, "title": "coefficient", "showgrid": False},
        y=_FIXED
        if still
        else {**_FIXED, "type": "log", "range": [-0.3, len(str(top))], "dtick": 1, "tickformat": "~s"},
        bargap=0,
        showlegend=False,
        barmode="overlay",
        margin=_MARGIN,
    )
    return figure


def positions(stretches: Sequence[Stretch], *, height: int = _HEIGHT) -> go.Figure:
    """The share of tokens that use the atom, by where in their window they are."""
    import plotly.graph_objects as go

    names = [stretch.name.replace("-", "–") for stretch in stretches]
    figure = go.Figure()
    figure.add_bar(
        x=list(range(len(stretches))),
        y=[stretch.share for stretch in stretches],
        marker={"color": INDIGO},
        customdata=[[name, f"{one.uses:,}", f"{one.tokens:,}"] for name, one in zip(names, stretches, strict=True)],
        hovertemplate=(
            "positions %{customdata[0]}<br>%{y:.2%}: %{customdata[1]} of %{customdata[2]} tokens<extra></extra>"
        ),
    )
    places = list(range(len(names)))
    style(
        figure,
        y_title="share of tokens",
        height=height,
        x={
            **_FIXED,
            "title": {"text": "position in the window", "standoff": 12},
            "showgrid": False,
            "tickvals": places,
            "ticktext": names,
            "tickangle": -40,
        },
        y={**_FIXED, "tickformat": "~%", "rangemode": "tozero"},
        margin={**_MARGIN, "b": 64},
    )
    return figure


MOST_KINDS = 20  # bars that still can be told apart


def kinds(stretches: Sequence[Stretch], *, most: int = MOST_KINDS, height: int = _HEIGHT) -> go.Figure:
    """The share of tokens that use the atom, in each kind of document, the largest share on top; of more than `most`
    kinds it is said how many are not drawn.
    """
    import plotly.graph_objects as go

    shown = sorted(stretches, key=lambda one: -one.share)[:most][::-1]
    names = [_cut(visible(one.name)) for one in shown]
    figure = go.Figure()
    figure.add_bar(
        orientation="h",
        y=list(range(len(shown))),
        x=[one.share for one in shown],
        marker={"color": INDIGO},
        customdata=[[as_written(visible(one.name)), f"{one.uses:,}", f"{one.tokens:,}"] for one in shown],
        hovertemplate="%{customdata[0]}<br>%{x:.2%}: %{customdata[1]} of %{customdata[2]} tokens<extra></extra>",
    )
    more = len(stretches) - len(shown)
    title = "share of tokens" + (f" (and {more} more kinds, each with a smaller share)" if more else "")
    style(
        figure,
        y_title="",
        height=max(height, 20 * len(shown) + 48 + _BUTTONS),
        x={**_FIXED, "title": title, "tickformat": "~%", "rangemode": "tozero", "nticks": 5},
        y={**_FIXED, "tickvals": list(range(len(shown))), "ticktext": list(map(as_written, names)), "showgrid": False},
        margin=_beside(names),
    )
    return figure


def logits(
    raised: Sequence[tuple[str, float]], lowered: Sequence[tuple[str, float]], *, height: int = 480
) -> go.Figure:
    """By how much tokens' logits change per 1 of the coefficient: the most raised on top, the most lowered at the
    bottom.
    """
    import plotly.graph_objects as go

    shown = [*raised, *reversed(lowered)][::-1]
    figure = go.Figure()
    figure.add_bar(
        orientation="h",
        y=list(range(len(shown))),
        x=[value for _, value in shown],
        marker={"color": [INDIGO if value >= 0 else NEGATIVE for _, value in shown]},
        customdata=[[as_written(_written(token)), signed(value, "+.3f")] for token, value in shown],
        hovertemplate="%{customdata[0]}: %{customdata[1]}<extra></extra>",
    )
    names = [_cut(_written(token)) for token, _ in shown]
    style(
        figure,
        y_title="",
        height=min(height, 21 * len(shown) + 48 + _BUTTONS),
        x={**_FIXED, "title": "change of the logit per 1 of the coefficient", "nticks": 5},
        y={**_FIXED, "tickvals": list(range(len(shown))), "ticktext": list(map(as_written, names)), "showgrid": False},
        margin=_beside(names),
    )
    return figure


def _beside(names: Sequence[str]) -> dict[str, int]:
    """Margins of bars whose `names` stand to their left: some letters are twice as wide as others."""
    widths = (sum(13 if east_asian_width(letter) in "WF" else 8 for letter in name) for name in names)
    return {**_MARGIN, "l": 12 + max(widths, default=0)}


def atom_map(
    places: np.ndarray,
    classes: Sequence[str],
    number: np.ndarray,
    names: Sequence[str],
    *,
    chosen: int | None = None,
    height: int = 620,
) -> go.Figure:
    """Atoms as points (n_atoms, 2), coloured by class; customdata[0] is the atom.

    classes: what the legend says of each class, in its order; the last one is grey where there are more than colours.
    number: (n_atoms,) the class of each. names: what hovering says of each; left out where there are many atoms.
    """
    import numpy as np
    import plotly.graph_objects as go

    figure = go.Figure()
    for i, name in enumerate(classes):
        rows = np.flatnonzero(number == i)
        hover = [as_written(names[row]) for row in rows.tolist()] if len(places) <= MOST_HOVERED else None
        figure.add_scattergl(
            x=places[rows, 0].round(4).tolist(),
            y=places[rows, 1].round(4).tolist(),
            mode="markers",
            name=f"{as_written(visible(name))} ({len(rows):,})",
            marker={
                "size": 6 if len(places) <= MOST_HOVERED else 3,
                "color": COLOURS[i] if i < len(COLOURS) else GREY,
                "symbol": _SYMBOLS[i % len(_SYMBOLS)],
                "opacity": 0.8,
            },
            customdata=rows.tolist(),
            text=hover,
            hovertemplate="atom %{customdata}" + ("<br>%{text}" if hover is not None else "") + "<extra></extra>",
        )
    if chosen is not None:
        figure.add_scattergl(
            x=[float(places[chosen, 0])],
            y=[float(places[chosen, 1])],
            mode="markers",
            name=f"atom {chosen}",
            marker={"size": 15, "color": "rgba(0,0,0,0)", "line": {"width": 2.5, "color": INDIGO}, "symbol": "circle"},
            customdata=[chosen],
            hovertemplate="atom %{customdata}<extra></extra>",
        )
    style(
        figure,
        y_title="",
        height=height,
        x={"visible": False, "fixedrange": False},
        y={"visible": False, "fixedrange": False, "scaleanchor": "x"},
        showlegend=True,
        legend={"orientation": "h", "y": -0.02, "yanchor": "top", "x": 0, "xanchor": "left", "itemsizing": "constant"},
        hovermode="closest",
        dragmode="lasso",
        clickmode="event+select",
    )
    return figure


COLOURS = (*LINES[:7], "#14b8a6", "#a16207", "#be185d", "#3f6212", GREY)  # at most twelve classes
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star")


def _written(token: str) -> str:
    """A token whose space in front shows: many are there with and without one."""
    shown = visible_token(token)
    return f"·{shown[1:]}" if shown.startswith(" ") else shown


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
