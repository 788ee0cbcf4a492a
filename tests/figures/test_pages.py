"""Pages of results: everything that was measured, as text, with nothing that runs or loads; charts as SVG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from itda_core.figures import charts, heatmaps, transfers
from itda_core.figures.page import Section, page, side_by_side, table
from itda_core.figures.svg import chart
from tests.figures.test_charts import evaluation
from tests.figures.test_transfers import TABLE

SCRIPT = "<script>alert(1)</script>"


class Read(HTMLParser):
    """What a browser would make of a page: its tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_safe(text: str) -> Read:
    """Nothing runs, nothing is loaded, and a reader's dark browser has a dark page."""
    read = Read(text)
    assert not {"script", "img", "iframe", "link", "object"} & set(read.tags)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in read.attributes
    assert not [name for name, _ in read.attributes if name in ("src", "href") or name.startswith("on")]
    assert not [
        value for name, value in read.attributes if value and name != "title" and re.search(r"\w+://|url\(", value)
    ]
    assert "prefers-color-scheme:dark" in text
    return read


def drawn(figure: go.Figure) -> ET.Element:
    return ET.fromstring(chart(figure).partition("<div")[0])


def test_everything_given_is_text() -> None:
    section = Section(SCRIPT, table([SCRIPT, "n"], [[SCRIPT, "1"]], numbers=["n"]), SCRIPT)
    read = assert_safe(page(SCRIPT, [SCRIPT, ""], [section, side_by_side([section])]))
    assert read.text.count(SCRIPT) == 2 + 1 + 2 * 4


def test_lines_stand_where_their_numbers_are() -> None:
    results = [evaluation(layer, k, method) for layer in (0, 1) for k in (10, 20, 40) for method in ("mp", "omp")]
    figure = charts.evaluations(results, "fvu", "k")
    svg = drawn(figure)
    lines = [
        [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]
        for line in svg.iter("polyline")
    ]
    assert len(lines) == 4
    heights = {
        float(t.text or "nan"): float(t.get("y") or 0) - 4 for t in svg.iter("text") if t.get("text-anchor") == "end"
    }
    low, high = min(heights), max(heights)
    assert low == 0
    for trace, line in zip(figure.to_plotly_json()["data"], lines, strict=True):
        for value, (_, y) in zip(trace["y"], line, strict=True):
            share = (value - low) / (high - low)
            assert y == pytest.approx(heights[low] + share * (heights[high] - heights[low]), abs=0.02)
        (x10, _), (x20, _), (x40, _) = line
        assert x40 - x20 == pytest.approx(2 * (x20 - x10), abs=0.05)
    dashes = [line.get("stroke-dasharray") for line in svg.iter("polyline")]
    assert dashes == ["", "7 5"] * 2
    assert next(circle[0].text for circle in svg.iter("circle")) == f"L0-100 · MP 10: {evaluation(0, 10).fvu:.4f}"


def test_bars_have_their_heights_and_their_spread() -> None:
    svg = drawn(transfers.fvu_by_layer(TABLE, 4))
    bars = list(svg.iter("rect"))
    assert len(bars) == 9
    own = [float(bar.get("height") or 0) for bar in bars if (bar[0].text or "").startswith("its own")]
    assert own == pytest.approx([own[0], 2 * own[0], 3 * own[0]], rel=0.01)
    spreads = [path for path in svg.iter("path") if path.get("stroke") == "rgb(128,128,140)"]
    assert len(spreads) == 3
    assert [t.text for t in svg.iter("text")][-4:-1] == ["layer 0", "layer 1", "layer 2"]
    legend = Read(chart(transfers.fvu_by_layer(TABLE, 4)).partition("<div")[2]).text
    assert "labels rebuilt" in legend


@pytest.mark.parametrize("values", [[0.5], [0.3, 0.3], [-2.0, 3.0], [1e-9, 2e-9], [1e6, 3e6], [None, 1.0], []])
def test_any_numbers_are_drawn_within_the_chart(values: list[float | None]) -> None:
    figure = go.Figure(go.Scatter(x=list(range(len(values))), y=values, mode="lines+markers", name="&lt;b&gt;"))
    charts.style(figure, y_title="a &lt; b", height=100)
    for circle in drawn(figure).iter("circle"):
        assert 64 <= float(circle.get("cx") or 0) <= 628
        assert 10 <= float(circle.get("cy") or 0) <= 254
    assert "<b>" not in chart(figure)


def test_a_matrix_is_told_by_tints_that_leave_its_ink_readable_light_or_dark() -> None:
    values = np.array([[0.2, 0.6], [np.nan, 1.0]])
    cells = heatmaps.Cells(
        ("a", "b"),
        ("c", "d"),
        values,
        [["x", "y"], ["", "z"]],
        [
            [
                "",
                "",
            ]
        ]
        * 2,
        0.2,
        1.0,
        "t",
    )
    read = assert_safe(heatmaps.comparison_page(cells, title="t", facts=[]))
    assert [value for name, value in read.attributes if name == "style"] == [
        "--share:0.000",
        "--share:0.500",
        "--share:1.000",
    ]
    text = heatmaps.comparison_page(cells, title="t", facts=[])
    deepest: dict[str, Any] = {"light": ((99, 102, 241), 0.55, (255,) * 3, (0x25, 0x25, 0x2E))}
    deepest["dark"] = ((129, 140, 248), 0.62, (0x15, 0x15, 0x1A), (255,) * 3)
    assert "rgb(99 102 241 / calc(.55*var(--share)))" in text
    assert "rgb(129 140 248 / calc(.06 + .56*var(--share)));color:#fff" in text
    for tint, alpha, ground, ink in deepest.values():
        mixed = [alpha * t + (1 - alpha) * g for t, g in zip(tint, ground, strict=True)]
        assert contrast(mixed, ink) >= 4.5


def test_a_cell_above_the_scale_is_grey_and_its_legend_says_why() -> None:
    values = np.array([[1.0, 0.5], [0.5, 1.0]])
    told = [["one", "two"], ["three", "four"]]
    cells = heatmaps.Cells(
        ("a", "b"), ("a", "b"), values, told, told, 0.0, 0.5, "t", apart=np.eye(2, dtype=bool), apart_note="Grey: <b>"
    )
    text = heatmaps.comparison_page(cells, title="t", facts=[])
    read = assert_safe(text)
    assert [value for name, value in read.attributes if name == "style"] == ["--share:1.000"] * 2
    assert text.count('<td class="apart"') == 2
    assert "Grey: <b>" in read.text


def contrast(one: object, other: object) -> float:
    """WCAG 2.1, relative luminance."""

    def luminance(colour: object) -> float:
        parts = np.asarray(colour, float) / 255
        linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)
