"""Figures of transfers show the table's own values, and no text of theirs is parsed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from itda_core.comparison.label_transfer.transfer import Transfer, TransferTable
from itda_core.figures import transfers

HOSTILE = "<img src=x onerror=alert(1)>"


def cell(labels_layer: int, layer: int, k: int, **more: Any) -> Transfer:
    values: dict[str, Any] = {
        "labels": f"{HOSTILE} layer {labels_layer}",
        "labels_layer": labels_layer,
        "model": HOSTILE,
        "layer": layer,
        "site": "resid_post",
        "k": k,
        "method": "mp",
        "atoms": 100 + labels_layer,
        "comparable": 0.75,
        "tokens": 300,
        "fvu": (1 + labels_layer + 3 * layer) / (20 * k),
        "relative_error": 0.1,
        "l0": 3.5,
        "own_atoms": 90,
        "own_fvu": (1 + layer) / (20 * k),
        "own_relative_error": 0.1,
        "own_l0": 3.0,
        "random_fvu": (3 + 3 * layer) / (20 * k),
        "random_sd": 0.01,
        "random_relative_error": 0.2,
        "random_l0": 3.0,
    }
    return Transfer(**{**values, **more})


CELLS = tuple(cell(labels_layer, layer, k) for labels_layer in (0, 1) for layer in (0, 1, 2) for k in (2, 4))
TABLE = TransferTable(HOSTILE, "demo", "demo", 300, 3, CELLS)


def drawn(figure: Any) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in json.loads(figure.to_json())["data"]}


def test_bars_are_the_labels_the_own_dictionary_and_random_places() -> None:
    traces = drawn(transfers.fvu_by_layer(TABLE, 4))
    assert list(traces) == ["labels rebuilt", "its own dictionary", "random places", "labels of other layers"]
    # Layers 0 and 1 have labels of their own; of the two dictionaries' labels, layer 2's best are those of layer 0.
    assert traces["labels rebuilt"]["y"] == [1 / 80, 5 / 80, 7 / 80]
    assert traces["its own dictionary"]["y"] == [1 / 80, 2 / 80, 3 / 80]
    assert traces["random places"]["y"] == [3 / 80, 6 / 80, 9 / 80]
    assert traces["random places"]["error_y"]["array"] == [0.01] * 3
    assert traces["labels of other layers"]["y"] == [4 / 80, 2 / 80, 8 / 80]
    for name, trace in traces.items():
        assert [round(x) for x in trace["x"]] == ([1, 0, 2] if name == "labels of other layers" else [0, 1, 2])


def test_what_was_not_measured_is_not_drawn() -> None:
    alone = replace(cell(0, 0, 4), own_fvu=None, random_fvu=None, random_sd=None)
    assert list(drawn(transfers.fvu_by_layer(replace(TABLE, cells=(alone,)), 4))) == ["labels rebuilt"]


def test_cells_are_labels_by_layers() -> None:
    cells = transfers.cells(TABLE, 2, "fvu")
    assert (cells.rows, cells.columns) == (("layer 0", "layer 1"), ("layer 0", "layer 1", "layer 2"))
    np.testing.assert_allclose(cells.values, np.array([[1, 4, 7], [2, 5, 8]]) / 40)
    assert cells.written[0][0] == "0.025"
    below = transfers.cells(TABLE, 2, "below_random")
    assert below.values[1, 0] == pytest.approx(1 - 2 / 3)
    assert below.written[1][0] == "33%"
    assert (below.low, below.high) == (pytest.approx(below.values.min()), pytest.approx(below.values.max()))
    gains = transfers.cells(TABLE, 2, "gain")
    assert gains.values[0, 0] == pytest.approx(1)


def test_a_cell_without_a_figure_is_empty_and_zero_has_no_sign() -> None:
    cells = (cell(0, 0, 2, fvu=0.07502), cell(0, 1, 2, own_fvu=None))
    gains = transfers.cells(replace(TABLE, cells=cells), 2, "gain")
    assert gains.written[0][1] == ""
    below = transfers.cells(replace(TABLE, cells=cells), 2, "below_random")
    assert below.values[0, 0] < 0
    assert below.written[0][0] == "0%"


def test_names_are_escaped() -> None:
    assert "<img" not in json.dumps(drawn(transfers.fvu_by_layer(TABLE, 4)))
    nameless = tuple(replace(one, layer=None, site=HOSTILE) for one in CELLS if one.layer == 0)
    figure = transfers.fvu_by_layer(replace(TABLE, cells=nameless), 4).to_plotly_json()
    assert "<img" not in str(figure["layout"]["xaxis"]["ticktext"])
