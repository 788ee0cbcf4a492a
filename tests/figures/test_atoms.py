"""An atom's charts and its page hold the figures they were given, and any text stays text."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from itda_core.analysis.atoms.examples import examples_of
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.analysis.atoms.usage import Histogram, Stretch, histogram, usage_of
from itda_core.dictionaries import AtomLabel
from itda_core.figures import atoms
from itda_core.figures.atom_page import atom_page
from itda_core.figures.svg import chart
from tests.analysis.atoms.samples import drawn, write_index

HOSTILE = "<script>alert(1)</script>"


def bars(figure: go.Figure) -> list[dict[str, Any]]:
    """The traces as plain values."""
    return figure.to_plotly_json()["data"]


def test_bars_of_coefficients_are_the_counts_by_sign() -> None:
    values = np.concatenate([np.full(100, 2.5), [-1.0, -0.5, 0.1, 3.0]])
    counted = histogram(values)
    drawn_bars = bars(atoms.coefficients(counted))
    assert sum(sum(trace["y"]) for trace in drawn_bars) == len(values)
    for trace in drawn_bars:
        negative = trace["name"] == "negative"
        assert sum(trace["y"]) == (values < 0).sum() if negative else (values > 0).sum()
        assert all((x < 0) == negative for x in trace["x"])
    still = bars(atoms.coefficients(counted, still=True))
    assert sum(10**y - 1 for trace in still for y in trace["y"]) == pytest.approx(len(values))
    assert "<svg" in chart(atoms.coefficients(counted, still=True))


def test_no_coefficient_makes_an_empty_chart() -> None:
    assert not bars(atoms.coefficients(Histogram((), ())))


def test_kinds_are_sorted_by_share_and_escaped() -> None:
    stretches = [Stretch("news", 1, 100), Stretch(HOSTILE, 50, 100), Stretch("story", 2, 10)]
    figure = atoms.kinds(stretches)
    (trace,) = bars(figure)
    assert list(trace["x"]) == [0.01, 0.2, 0.5], "the largest on top"
    assert "<script" not in str(figure.to_json())
    (trace,) = bars(atoms.positions(stretches))
    assert list(trace["y"]) == [0.01, 0.5, 0.2]


def test_kinds_that_are_not_drawn_are_counted() -> None:
    stretches = [Stretch(f"kind {i}", i, 100) for i in range(25)]
    figure = atoms.kinds(stretches)
    (trace,) = bars(figure)
    assert len(trace["x"]) == atoms.MOST_KINDS == 20
    assert figure.layout.xaxis.title.text == "share of tokens (and 5 more kinds, each with a smaller share)"
    assert atoms.kinds(stretches[:17]).layout.xaxis.title.text == "share of tokens"
    assert len(bars(atoms.kinds(stretches[:17]))[0]["x"]) == 17, "all kinds of the bundled corpus"


def test_logits_stand_from_the_most_raised_to_the_most_lowered() -> None:
    figure = atoms.logits([(HOSTILE, 0.5), ("b", 0.25)], [("z", -0.75), ("y", -0.5)])
    (trace,) = bars(figure)
    assert list(trace["x"]) == [-0.75, -0.5, 0.25, 0.5], "from the bottom to the top"
    assert "<script" not in str(figure.to_json())


def test_a_space_in_front_of_a_token_shows() -> None:
    figure = atoms.logits([(" My", 0.5), ("My", 0.25)], [(" ", -0.5)])
    assert list(figure.layout.yaxis.ticktext) == ["·", "My", "·My"]
    assert [row[0] for row in bars(figure)[0]["customdata"]] == ["·", "My", "·My"]


@pytest.mark.parametrize("token", ['"', "'", "&quot;", "<b>", "&", "&#x27;"])
def test_plotly_shows_a_token_as_it_is(token: str) -> None:
    """Of entities Plotly knows these, and those by number; tags it parses before it turns entities into signs."""
    (shown,) = atoms.logits([(token, 0.5)], []).layout.yaxis.ticktext
    known = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
    assert not re.search("<[^>]*>", shown)
    assert (
        re.sub(r"&(lt|gt|amp);|&#x?[0-9a-f]+;", lambda found: known.get(found[0]) or unescape(found[0]), shown) == token
    )


def test_bars_leave_room_for_the_buttons_above_them() -> None:
    """Plotly's camera is 2 + 20 + some pixels high, in the chart's upper right corner."""
    stretches = [Stretch(f"kind {i}", i, 100) for i in range(25)]
    counted = histogram(np.arange(-3.0, 3.0))
    for figure in (
        atoms.coefficients(counted),
        atoms.positions(stretches),
        atoms.kinds(stretches),
        atoms.logits([("a", 0.5)], [("b", -0.5)]),
    ):
        assert figure.layout.margin.t >= 30


def test_wide_letters_beside_bars_have_room() -> None:
    """What Plotly would measure itself, drawing twice: a letter of Chinese is about 12 pixels wide at its size."""
    narrow, wide = (atoms.logits([(token, 0.5)], []).layout.margin.l for token in ("m" * 8, "漢" * 8))
    assert narrow >= 8 * 8
    assert wide >= 12 * 8


def test_a_map_has_every_atom_once_and_names_its_classes() -> None:
    places = np.random.default_rng(0).uniform(-1, 1, (50, 2)).astype(np.float32)
    number = np.arange(50) % 3
    figure = atoms.atom_map(places, ["a", HOSTILE, "c"], number, [f"{HOSTILE} {i}" for i in range(50)])
    assert sorted(atom for trace in bars(figure) for atom in trace["customdata"]) == list(range(50))
    for i, trace in enumerate(bars(figure)):
        assert [number[atom] for atom in trace["customdata"]] == [i] * len(trace["customdata"])
        assert list(trace["x"]) == pytest.approx(places[trace["customdata"], 0].tolist(), abs=1e-3)
    assert "<script" not in str(figure.to_json())
    assert "(17)" in bars(figure)[0]["name"]


def test_the_page_of_an_atom_holds_its_examples_and_no_script(tmp_path: Path) -> None:
    sample = drawn(words=["the", f" {HOSTILE}", " cat", "\n"])
    index = AtomIndex.open(write_index(tmp_path / "index", sample, kinds=["news", HOSTILE]))
    usage, examples = usage_of(index, 0), examples_of(index, 0)
    place = {"window_start": 0, "position": 1, "token_id": 5, "char_start": 3, "char_end": 6, "error": 0.5}
    label = AtomLabel(0, 0, HOSTILE, token=HOSTILE, context_before=HOSTILE, context_after="", **place)
    page = atom_page(HOSTILE, [HOSTILE], [label], used={"a": HOSTILE}, usage=usage, examples=examples)
    assert "<script" not in page
    assert "default-src 'none'" in page
    shown = sum(map(len, (examples.positive, examples.negative, *(one.examples for one in examples.quantiles))))
    assert page.count('<td class="num">') >= shown
    assert page.count("<svg") >= 2
