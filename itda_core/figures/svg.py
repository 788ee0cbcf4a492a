"""A chart of ours (lines, markers, bars over numbers) as SVG, for pages that run no script."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape, unescape
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.figures_as_text import figure as figure_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 10, 46
_GRID = "rgba(128,128,140,.25)"
_TICKS = 5
_MOST_UPRIGHT = 40  # letters that fit beside the upright axis
_DASHES = {
    "dash": "7 5",
    "dot": "2 4",
    "dashdot": "7 4 2 4",
    "longdash": "12 5",
    "longdashdot": "12 4 2 4",
}


class _Scale(NamedTuple):
    """From numbers to pixels."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        return round(self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin), 2)


def chart(figure: go.Figure) -> str:
    """The figure's lines, markers and bars with both axes, and a legend where it has one; every name is escaped."""
    drawn = figure.to_plotly_json()
    traces, layout = drawn["data"], drawn["layout"]
    x_axis, y_axis = layout.get("xaxis", {}), layout.get("yaxis", {})
    bases = _bases(traces, layout)
    x = _Scale(*_x_ends(traces, x_axis), _LEFT, _WIDTH - _RIGHT)
    y_ticks = _steps(*_y_ends(traces, y_axis, bases))
    y = _Scale(y_ticks[0], y_ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = [*_grid(y_ticks, y, y_axis), *_x_labels(x, x_axis)]
    for number, trace in enumerate(traces):
        parts += _bars(trace, x, y, bases[number]) if trace["type"] == "bar" else _line(trace, number, x, y)
    title = _plain(_title(y_axis))
    body = "\n".join(parts)
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">\n{body}\n</svg>'
        f"{_legend(traces, layout)}"
    )


def _points(trace: Mapping[str, Any]) -> list[tuple[float, float]]:
    pairs = zip(trace.get("x", ()), trace.get("y", ()), strict=False)
    return [(float(x), float(y)) for x, y in pairs if y is not None and math.isfinite(y)]


def _spreads(trace: Mapping[str, Any]) -> list[float]:
    found = trace.get("error_y", {}).get("array")
    return [] if found is None else [float(value or 0) for value in found]


def _x_ends(traces: Sequence[Mapping[str, Any]], axis: Mapping[str, Any]) -> tuple[float, float]:
    if axis.get("range"):
        return float(axis["range"][0]), float(axis["range"][1])
    values = [x for trace in traces for x, _ in _points(trace)] or [0.0]
    room = 0.06 * (max(values) - min(values)) or 0.5
    return min(values) - room, max(values) + room


def _bases(traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any]) -> list[dict[float, float]]:
    """Per trace where its bar at x begins: zero, but where bars of one sign stand on each other ("relative")."""
    found: list[dict[float, float]] = [{} for _ in traces]
    if layout.get("barmode") != "relative":
        return found
    reached: dict[tuple[float, bool], float] = {}
    for bases, trace in zip(found, traces, strict=True):
        for x, value in _points(trace) if trace["type"] == "bar" else ():
            bases[x] = reached.get((x, value < 0), 0.0)
            reached[x, value < 0] = bases[x] + value
    return found


def _y_ends(
    traces: Sequence[Mapping[str, Any]], axis: Mapping[str, Any], bases: Sequence[Mapping[float, float]]
) -> tuple[float, float]:
    values = [y + base.get(x, 0.0) for trace, base in zip(traces, bases, strict=True) for x, y in _points(trace)]
    values += [y + spread for trace in traces for (_, y), spread in zip(_points(trace), _spreads(trace), strict=False)]
    if axis.get("rangemode") == "tozero" or any(trace["type"] == "bar" for trace in traces):
        values.append(0.0)
    return (min(values), max(values)) if values else (0.0, 1.0)


def _steps(low: float, high: float) -> list[float]:
    """Round numbers from below `low` to above `high`, evenly apart."""
    span = (high - low) or abs(high) or 1.0
    rough = span / _TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 12) for n in range(first, max(last, first + 1) + 1)]


def _grid(ticks: Sequence[float], y: _Scale, axis: Mapping[str, Any]) -> Iterator[str]:
    decimals = next((d for d in range(6) if all(abs(round(t, d) - t) < 1e-9 for t in ticks)), 6)
    for tick in ticks:
        at = y.at(tick)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at}" y2="{at}" stroke="{_GRID}"/>'
        word = figure_of(tick, f",.{decimals}f")
        yield f'<text x="{_LEFT - 8}" y="{at + 4}" text-anchor="end">{word}</text>'
    middle, title = (_TOP + _HEIGHT - _BOTTOM) / 2, _plain(_title(axis))
    title = escape(title if len(title) <= _MOST_UPRIGHT else title.partition(" (")[0])
    yield f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{title}</text>'


def _x_labels(x: _Scale, axis: Mapping[str, Any]) -> Iterator[str]:
    values = axis.get("tickvals")
    if values is None:
        values = [tick for tick in _steps(x.low, x.high) if x.low <= tick <= x.high]
    words = axis.get("ticktext") or [figure_of(float(value), ",.10g") for value in values]
    every = max(1, math.ceil(sum(len(_plain(word)) + 2 for word in words) * 7 / (x.end - x.begin)))
    for value, word in list(zip(values, words, strict=True))[::every]:
        yield f'<text x="{x.at(value)}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{escape(_plain(word))}</text>'
    title = escape(_plain(_title(axis)))
    yield f'<text x="{(x.begin + x.end) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{title}</text>'


def _line(trace: Mapping[str, Any], number: int, x: _Scale, y: _Scale) -> Iterator[str]:
    points = [(x.at(a), y.at(b)) for a, b in _points(trace)]
    colour, mode = _colour(trace), trace.get("mode", "lines")
    if "lines" in mode and len(points) > 1:
        dash = _DASHES.get(trace.get("line", {}).get("dash", ""), "")
        path = " ".join(f"{a},{b}" for a, b in points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
    if "markers" in mode or len(points) == 1:
        symbol = trace.get("marker", {}).get("symbol", "circle")
        fill = _fill(trace)
        for (a, b), (at, value) in zip(points, _points(trace), strict=True):
            told = escape(
                f"{_plain(trace.get('name') or '')} {figure_of(at, ',.10g')}: {figure_of(value, '.4f')}".strip()
            )
            mark = _mark(symbol, a, b)
            yield f'<{mark} fill="{fill}" stroke="{colour}"><title>{told}</title></{mark.partition(" ")[0]}>'
            if symbol.endswith("-dot"):
                yield _dot(trace, a, b)


def _mark(symbol: str, x: float, y: float) -> str:
    """The tag of a marker, without its colours."""
    if symbol.startswith("square"):
        return f'rect x="{x - 3.5}" y="{y - 3.5}" width="7" height="7"'
    if symbol.startswith("diamond"):
        return f'path d="M{x} {y - 5}L{x + 5} {y}L{x} {y + 5}L{x - 5} {y}Z"'
    if symbol.startswith("triangle"):
        return f'path d="M{x} {y - 5}L{x + 5} {y + 4}L{x - 5} {y + 4}Z"'
    return f'circle cx="{x}" cy="{y}" r="3.5"'


def _fill(trace: Mapping[str, Any]) -> str:
    """Of a trace's marks."""
    marker = trace.get("marker", {})
    return "none" if "-open" in marker.get("symbol", "") else escape(str(marker.get("color") or _colour(trace)))


def _dot(trace: Mapping[str, Any], x: float, y: float) -> str:
    """The point in the middle of a mark that has one: light in a filled mark, in its colour in an open one."""
    return f'<circle cx="{x}" cy="{y}" r="1.3" fill="{_colour(trace) if _fill(trace) == "none" else "#fff"}"/>'


def _bars(trace: Mapping[str, Any], x: _Scale, y: _Scale, bases: Mapping[float, float]) -> Iterator[str]:
    width = float(trace.get("width") or 0.8)
    colours = trace.get("marker", {}).get("color")
    points, spreads = _points(trace), _spreads(trace)
    for i, (at, value) in enumerate(points):
        left, right = x.at(at - width / 2), x.at(at + width / 2)
        base = bases.get(at, 0.0)
        top, bottom = sorted((y.at(base + value), y.at(base)))
        colour = _colour(trace) if isinstance(colours, str) or colours is None else escape(str(colours[i]))
        told = escape(f"{_plain(trace.get('name') or '')} {figure_of(value, '.4f')}".strip())
        yield (
            f'<rect x="{left}" y="{top}" width="{round(right - left, 2)}" height="{round(bottom - top, 2)}" '
            f'fill="{colour}"><title>{told}</title></rect>'
        )
        if i < len(spreads) and spreads[i] > 0:
            middle, ends = (left + right) / 2, (y.at(value - spreads[i]), y.at(value + spreads[i]))
            yield (
                f'<path d="M{middle} {ends[0]}V{ends[1]}M{middle - 5} {ends[0]}h10M{middle - 5} {ends[1]}h10" '
                'stroke="rgb(128,128,140)" stroke-width="1.5"/>'
            )


def _legend(traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any]) -> str:
    named = [trace for trace in traces if trace.get("name")]
    if not named or layout.get("showlegend") is False:
        return ""
    entries = []
    for trace in named:
        name = escape(_plain(trace["name"]))
        entries.append(f'<span><svg viewBox="0 0 26 10">{_sample(trace)}</svg>{name}</span>')
    return f'<div class="legend">{"".join(entries)}</div>'


def _sample(trace: Mapping[str, Any]) -> str:
    """What stands beside a trace's name in the legend."""
    colour, mode = _colour(trace), trace.get("mode", "lines")
    mark = ""
    if trace["type"] != "bar" and "markers" in mode:
        symbol = trace.get("marker", {}).get("symbol", "circle")
        mark = f'<{_mark(symbol, 13, 5)} fill="{_fill(trace)}" stroke="{colour}"/>'
        mark += _dot(trace, 13, 5) if symbol.endswith("-dot") else ""
    if mark and "lines" not in mode:
        return mark
    dash = _DASHES.get(trace.get("line", {}).get("dash", ""), "")
    thick = 8 if trace["type"] == "bar" else 2
    line = f'<line x1="0" x2="26" y1="5" y2="5" stroke="{colour}" stroke-width="{thick}" stroke-dasharray="{dash}"/>'
    return f"{line}{mark}"


def _colour(trace: Mapping[str, Any]) -> str:
    """Of a trace's lines, bars, or the edge of its markers."""
    marker = trace.get("marker", {})
    found = trace.get("line", {}).get("color") or marker.get("line", {}).get("color") or marker.get("color")
    return escape(found) if isinstance(found, str) else "rgb(99,102,241)"


def _title(axis: Mapping[str, Any]) -> str:
    title = axis.get("title") or ""
    return str(title.get("text", "") if isinstance(title, Mapping) else title)


def _plain(text: str) -> str:
    """A name as it was before it was escaped for Plotly."""
    return unescape(str(text))
