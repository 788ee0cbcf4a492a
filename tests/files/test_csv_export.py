"""CSV that a spreadsheet shows and does not compute."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from itda_core.files.csv_export import cell, csv_text, frame_csv

ROOT = Path(__file__).resolve().parents[2]
FORMULAS = [
    "=X(0)",
    "+1+1",
    "-2+3",
    "@A1",
    "\t=1",
    "\r=1",
    "\n=1",
    "=",
    "-",
    "+",
    "\uff1d1",
    "-1e",
    "--1",
    "-inf",
    '="a,b"',
]
ORDINARY = ["the dog", "a=b", "", "-0.5", "+3", "-1e-7", "-.5", " =1", -0.5, np.float32(-2), 0]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_compute_gets_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"
    for written in (csv_text(("a", text), [(1, text)]), frame_csv(pd.DataFrame({"a": [1], text: [text]}))):
        header, row = csv.reader(io.StringIO(written, newline=""))
        assert header == ["a", f"'{text}"]
        assert row == ["1", f"'{text}"]


@pytest.mark.parametrize("value", ORDINARY)
def test_everything_else_stays(value: object) -> None:
    assert cell(value) == value


def test_numbers_stay_numbers_and_what_is_missing_is_empty() -> None:
    frame = pd.DataFrame({"x": [-1.5, float("nan")], "n": [-1, 2], "t": ["=1", None], "b": [True, False]})
    frame["i"] = pd.array([1, None], dtype="Int64")
    assert frame_csv(frame) == "x,n,t,b,i\n-1.5,-1,'=1,True,1\n,2,,False,\n"
    assert frame_csv(pd.DataFrame({"a": [1]}, index=pd.Index(["=n"], name="name")), index=True) == "name,a\n'=n,1\n"
    assert csv_text(("a", "b"), [(None, -0.25), (float("nan"), "x\ry")]) == 'a,b\n,-0.25\n,"x\ry"\n'
    assert csv_text(("a",), [("\ud800",)]) == "a\n\ufffd\n"


def test_ordinary_tables_are_written_as_pandas_writes_them() -> None:
    draw = np.random.default_rng(0)
    texts = ["plain", 'a "quote"', "comma, here", "line\nbreak", "", "é"]
    frame = pd.DataFrame({"n": draw.integers(-9, 9, 6), "x": draw.normal(size=6), "text": texts})
    assert frame_csv(frame) == frame.to_csv(index=False, lineterminator="\n")


def test_every_csv_is_written_there() -> None:
    """No other file makes CSV, whose cells would be computed."""
    made = re.compile(r"\.to_csv\(|csv\.writer\(|DictWriter\(")
    files = [ROOT / "app.py", *(ROOT / "itda_core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    assert len(files) > 100
    assert not [path for path in files if made.search(path.read_text("utf-8"))]


def test_tables_of_the_pages_have_no_csv_of_their_own() -> None:
    """Streamlit's would hold the cells as they are; every page has an Export."""
    configured = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    assert configured["client"]["disableDataExport"] is True
