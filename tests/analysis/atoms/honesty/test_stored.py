"""What was found of labels, kept beside the index and read again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from itda_core import UserError
from itda_core.analysis.atoms.honesty import stored as storing
from itda_core.analysis.atoms.honesty.grades import GRADES, grades, of_atom, of_dictionary
from itda_core.analysis.atoms.honesty.stored import measure_and_store, stored, stored_summary
from itda_core.analysis.atoms.index import AtomIndex
from tests.analysis.atoms.honesty.test_honesty import LABELS, planted, run
from tests.analysis.atoms.samples import write_index


@pytest.fixture
def index(tmp_path: Path) -> AtomIndex:
    index = AtomIndex.open(write_index(tmp_path / "index", planted()))
    list(measure_and_store(index, LABELS))
    return index


def test_what_is_read_is_what_was_found(index: AtomIndex) -> None:
    found, again = run(index, LABELS), stored(index)
    assert again is not None
    assert [of_atom(again, atom) for atom in range(6)] == [of_atom(found, atom) for atom in range(6)]
    assert of_dictionary(again) == of_dictionary(found)
    assert stored_summary(index.folder) == of_dictionary(found)
    assert of_dictionary(found).everywhere.same_span is None
    table = pq.read_table(index.folder / "honesty.parquet")
    assert table.column("grade").to_pylist() == [GRADES[i] for i in grades(found)]
    shares = found.shares("same_token")
    assert shares is not None
    given = [np.nan if value is None else value for value in table.column("same_token_share").to_pylist()]
    np.testing.assert_allclose(given, shares.share, rtol=1e-6)
    AtomIndex.open(index.folder)  # an index it still is


def test_nothing_is_there_where_nothing_was_measured(tmp_path: Path) -> None:
    index = AtomIndex.open(write_index(tmp_path / "index", planted()))
    assert stored(index) is None
    assert stored_summary(index.folder) is None


def test_another_version_and_another_index_are_as_nothing(index: AtomIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "_BESIDE", replace(storing._BESIDE, version=99))
    assert stored(index) is None
    assert stored_summary(index.folder) is None
    monkeypatch.undo()
    about = json.loads((index.folder / "honesty.json").read_text())
    about["index_created"] = "2020-01-01T00:00:00+00:00"
    (index.folder / "honesty.json").write_text(json.dumps(about))
    assert stored(index) is None


@pytest.mark.parametrize("name", ["honesty.parquet", "honesty.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_damage_is_one_sentence(index: AtomIndex, name: str, damage: str) -> None:
    path = index.folder / name
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "other":
        path.write_text("[]")
    elif name == "honesty.json":
        path.unlink()
        assert stored(index) is None  # a table whose summary was never written
        return
    else:
        path.unlink()
    with pytest.raises(UserError, match=name):
        stored(index)


@pytest.mark.parametrize(
    "part", [{}, {"grades": []}, {"atoms": "<script>"}, {"strongest": None}, {"near": "1"}], ids=lambda part: str(part)
)
def test_a_damaged_summary_is_one_sentence(index: AtomIndex, part: dict[str, object]) -> None:
    path = index.folder / "honesty.json"
    about = json.loads(path.read_text())
    about["summary"] = {**about["summary"], **part} if part else {}
    path.write_text(json.dumps(about))
    with pytest.raises(UserError, match=r"honesty\.json.* is damaged; measure the labels' honesty again"):
        stored_summary(index.folder)
