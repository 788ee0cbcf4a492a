"""Figures hold the results' numbers; the standalone page holds all text, as text, and nothing that runs or loads."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itda_core.analysis import Evaluation
from itda_core.analysis.decompose import AtomUse, Decomposition, TokenDecomposition
from itda_core.analysis.replay import Replay, ReplayStep
from itda_core.figures import charts as figures_charts
from itda_core.figures import replay as figures_replay
from itda_core.figures.decomposition_page import decomposition_page
from itda_core.figures.svg import chart

SCRIPT, PICTURE = "<script>alert(1)</script>", "![](http://example.com/x.png)"


def replayed(k: int) -> Replay:
    steps = [ReplayStep(i + 1, 10 + i, (-1.0) ** i * (k - i), 1 / (i + 2), ()) for i in range(k)]
    return Replay(3, "mp", tuple(steps), ())


def decomposition(*texts: str, special: frozenset[int] = frozenset()) -> Decomposition:
    tokens = []
    for i, text in enumerate(texts):
        use = AtomUse(i, -1.5, 0.25, SCRIPT, PICTURE, "\nafter", f"doc {i}", 5, 9)
        tokens.append(TokenDecomposition(i, text, i, i + 1, i in special, (i + 1) / 10, 0.9, 1, 3.0, (use,)))
    return Decomposition("demo:0", 2, "resid_post", 8, "mp", "".join(texts), tuple(tokens))


class _Read(HTMLParser):
    """What a browser would make of a page: its tags, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def drawn(figure: go.Figure) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A figure's traces and layout, as the browser gets them."""
    read = json.loads(figure.to_json() or "{}")
    return read["data"], read["layout"]


def test_one_bar_per_step_with_its_error() -> None:
    (bars,), layout = drawn(figures_replay.error_by_step(replayed(5), {10: " dog", 11: "\n"}))
    assert bars["x"] == [1, 2, 3, 4, 5]
    assert bars["y"] == pytest.approx([1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6])
    assert [row[0] for row in bars["customdata"]] == [10, 11, 12, 13, 14]
    assert layout["xaxis"]["ticktext"][:2] == ["dog", "↵"]


def test_the_pinned_atom_stands_out() -> None:
    (bars,), _ = drawn(figures_replay.error_by_step(replayed(4), {}, pinned=12))
    assert [width > 0 for width in bars["marker"]["line"]["width"]] == [False, False, True, False]


def test_orange_says_negative_and_nothing_else() -> None:
    (bars,), layout = drawn(figures_replay.error_by_step(replayed(4), {12: "dog"}, pinned=12))
    positive, negative, *others = bars["marker"]["color"]
    assert positive != negative
    assert others == [positive, negative]
    assert layout["xaxis"]["ticktext"][2] == "<b>dog</b>"


def test_many_steps_are_numbered_instead_of_named() -> None:
    assert "ticktext" not in drawn(figures_replay.error_by_step(replayed(40), {}))[1]["xaxis"]


def test_source_tokens_are_no_html_for_plotly() -> None:
    (bars,), layout = drawn(figures_replay.error_by_step(replayed(1), {10: "<a href=x>"}))
    assert bars["customdata"][0][1] == layout["xaxis"]["ticktext"][0] == "&lt;a href=x&gt;"


def test_curves_hold_every_line() -> None:
    lines, layout = drawn(figures_charts.curves([10, 20], {"layer 0": [1, 2], "<b>": [3, 4]}, y_title="atoms"))
    assert [line["y"] for line in lines] == [[1, 2], [3, 4]]
    assert [line["x"] for line in lines] == [[10, 20], [10, 20]]
    assert lines[1]["name"] == "&lt;b&gt;"
    assert layout["showlegend"]
    assert not drawn(figures_charts.curves([10], {"layer 0": [1]}, y_title="atoms"))[1]["showlegend"]


def test_figures_leave_the_ground_to_their_page() -> None:
    for figure in (figures_replay.error_by_step(replayed(2), {}), figures_charts.curves([1], {"a": [1]}, y_title="y")):
        layout = drawn(figure)[1]
        assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"


def test_the_page_shows_all_text_as_text() -> None:
    page = decomposition_page(decomposition(SCRIPT, PICTURE, " <b>"), dictionary=f"mine {SCRIPT}")
    read = _Read(page)
    assert not {"script", "img", "iframe", "link", "b"} & set(read.tags)
    assert read.text.count(SCRIPT) >= 1 + 3 + 1  # the token, its heading, each atom's token, the dictionary's name
    assert PICTURE in read.text
    assert "doc 2" in read.text
    assert all(
        not value or not re.match(r"\w+:|//", value) for name, value in read.attributes if name in ("href", "src")
    )
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in read.attributes


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1), min_size=1, max_size=5))
def test_any_text_survives(texts: list[str]) -> None:
    read = _Read(decomposition_page(decomposition(*texts), dictionary="d"))
    assert set(read.tags) <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "div", "a", "section", "h2", "bdi"),
        *("table", "tr", "th", "td", "mark", "span", "i"),
    }
    for i, text in enumerate(texts):
        assert f"Token {i}: {text}" in read.text


def test_code_keeps_its_indentation() -> None:
    page = decomposition_page(decomposition("):", "\n   ", " return"), dictionary="d")
    assert '↵</a><br><bdi>   </bdi><a href="#t2"' in page
    assert ">a</a><a href" in decomposition_page(decomposition("a", "b"), dictionary="d")


def test_colour_follows_the_error() -> None:
    page = decomposition_page(decomposition("a", "b", "c"), dictionary="d")
    alphas = [float(alpha) for alpha in re.findall(r"background:rgba\(99,102,241,([\d.]+)\)\"", page)]
    assert alphas == pytest.approx([0.55 / 3, 0.55 * 2 / 3, 0.55], abs=1e-3)


def test_special_tokens_are_left_out_unless_asked_for() -> None:
    shown = decomposition("<s>", "word", special=frozenset({0}))
    assert 'id="t0"' not in decomposition_page(shown, dictionary="d")
    assert 'id="t0"' in decomposition_page(shown, dictionary="d", show_special=True)


def evaluation(layer: int, k: int, method: str = "mp", atoms: int = 100, **other: Any) -> Evaluation:
    fvu = (layer + 1) / (k + len(method) + atoms / 1000)
    values: dict[str, Any] = {
        **{"dictionary": f"/library/L{layer}-{atoms}", "k": k, "method": method, "tokens": 4096, "fvu": fvu},
        **{"relative_error": 0.1, "cosine": 0.9, "l0": float(k), "dead_fraction": 0.0},
        **{"ce_original": 1.0, "ce_reconstructed": 1.5, "ce_zero": 9.0, "ce_score": 1 - fvu, "kl": 0.1},
        **{"text": "held-out", "corpus": "demo", "model": "demo:0", "layer": layer, "site": "resid_post"},
        "atoms": atoms,
    }
    return Evaluation(**{**values, **other})


def test_evaluations_over_k_are_one_line_per_dictionary_and_method() -> None:
    results = [evaluation(layer, k, method) for layer in (0, 1) for k in (20, 10) for method in ("mp", "omp")]
    lines, layout = drawn(figures_charts.evaluations(results, "fvu", "k"))
    assert [line["name"] for line in lines] == ["L0-100 · MP", "L0-100 · OMP", "L1-100 · MP", "L1-100 · OMP"]
    by = {(result.layer, result.k, result.method): result for result in results}
    for line, (layer, method) in zip(lines, [(0, "mp"), (0, "omp"), (1, "mp"), (1, "omp")], strict=True):
        assert line["x"] == [10, 20]
        assert line["y"] == [by[layer, k, method].fvu for k in (10, 20)]
        assert line["line"]["dash"] == {"mp": "solid", "omp": "dash"}[method]
    assert len({line["line"]["color"] for line in lines[:2]}) == 1 != len({line["line"]["color"] for line in lines})
    assert layout["yaxis"]["title"]["text"] == "FVU (fraction of variance unexplained)"
    assert layout["xaxis"]["tickvals"] == [10, 20]


def test_lines_are_told_apart_without_their_colours() -> None:
    results = [evaluation(layer, k, method) for layer in range(8) for k in (10, 20) for method in ("mp", "omp")]
    lines, _ = drawn(figures_charts.evaluations(results, "fvu", "k"))
    assert len({(line["line"]["dash"], line["marker"]["symbol"]) for line in lines}) == len(lines) == 16
    named = {f"layer {layer}": [1.0, 2.0] for layer in range(6)}
    lines, _ = drawn(figures_charts.curves([1, 2], named, y_title="atoms"))
    assert len({line["line"]["dash"] for line in lines}) == 6


@pytest.mark.parametrize("over", ["atoms", "layer"])
@pytest.mark.parametrize("twice", [False, True])
def test_a_pursuit_and_k_are_told_apart_also_where_points_are_not_joined(over: Any, twice: bool) -> None:
    ks, methods = (10, 20, 40), ("mp", "omp", "gp")
    places = [(0, 100), (0, 400)] if over == "atoms" else [(0, 100), (1, 100)]
    made = [evaluation(layer, k, method, atoms) for layer, atoms in places for k in ks for method in methods]
    if twice:  # two dictionaries of one size and layer
        made += [replace(result, dictionary="/library/another") for result in made]
    figure = figures_charts.evaluations(made, "fvu", over)
    lines, layout = drawn(figure)
    assert {line["mode"] for line in lines} == {"markers" if twice else "lines+markers"}
    assert layout["showlegend"]
    assert {line["name"] for line in lines} == {f"k = {k} · {method.upper()}" for k in ks for method in methods}
    shape = {line["name"]: line["marker"]["symbol"].partition("-")[0] for line in lines}
    if over == "atoms" or twice:
        for k in ks:
            assert len({shape[f"k = {k} · {method.upper()}"] for method in methods}) == 3
        for method in methods:
            assert len({shape[f"k = {k} · {method.upper()}"] for k in ks}) == 1
        assert len({line["marker"]["symbol"] for line in lines}) == len(lines)  # nor do they need their colours
    for method in methods:
        assert len({line["line"]["color"] for line in lines if line["name"].endswith(f" {method.upper()}")}) == 3
    samples = re.findall(r"<span><svg[^>]*>(.*?)</svg>(.*?)</span>", chart(figure))
    assert len({sample for sample, _ in samples}) == len(samples) == len(lines)


def test_evaluations_by_layer_are_one_line_per_k() -> None:
    results = [evaluation(layer, k) for layer in (2, 0, 1) for k in (10, 20)]
    lines, layout = drawn(figures_charts.evaluations(results, "ce_score", "layer"))
    assert [line["name"] for line in lines] == ["k = 10", "k = 20"]
    for line, k in zip(lines, (10, 20), strict=True):
        assert line["x"] == [0, 1, 2]
        assert line["y"] == [evaluation(layer, k).ce_score for layer in (0, 1, 2)]
    assert layout["xaxis"]["title"]["text"] == "layer"
    assert layout["yaxis"]["title"]["text"].startswith("CE score")


def test_evaluations_over_size_join_dictionaries_of_one_layer() -> None:
    results = [evaluation(1, 10, atoms=atoms) for atoms in (400, 100, 200)]
    ((line,), layout) = drawn(figures_charts.evaluations(results, "fvu", "atoms"))
    assert line["x"] == [100, 200, 400]
    assert line["y"] == [evaluation(1, 10, atoms=atoms).fvu for atoms in (100, 200, 400)]
    assert [row[0] for row in line["customdata"]] == ["L1-100", "L1-200", "L1-400"]
    assert not layout["showlegend"]


def test_two_dictionaries_of_one_layer_are_not_joined_by_layer() -> None:
    results = [evaluation(0, 10), evaluation(1, 10), evaluation(1, 10, atoms=900)]
    ((line,), _) = drawn(figures_charts.evaluations(results, "fvu", "layer"))
    assert line["mode"] == "markers"


def test_evaluations_without_the_figure_are_left_out_and_names_are_no_html() -> None:
    hostile = f"/library/{SCRIPT.replace('/', '')}"
    results = [
        evaluation(0, 10, ce_score=None),
        evaluation(1, 10, dictionary=hostile),
        replace(evaluation(2, 10), layer=None),
    ]
    lines, _ = drawn(figures_charts.evaluations(results, "ce_score", "k"))
    assert [len(line["y"]) for line in lines] == [1, 1]
    assert "<script>" not in json.dumps(lines)
    assert drawn(figures_charts.evaluations(results[:1], "ce_score", "k"))[0] == []
    assert [line["x"] for line in drawn(figures_charts.evaluations(results, "fvu", "layer"))[0]] == [[0, 1]]
