"""The honesty that comes with the bundled indices: it is that of these indices, and it is what is shown."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from itda_core.analysis.atoms.honesty.grades import grades, of_dictionary
from itda_core.analysis.atoms.honesty.stored import SUMMARY, TABLE, store, stored
from itda_core.analysis.atoms.honesty.tallies import MEASURES
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.dictionaries import AtomDictionary
from itda_core.runs.atoms import reading
from itda_core.runs.indexing.indices import BUNDLED
from itda_core.runs.library import BUNDLED as DICTIONARIES
from tests.conftest import Cli

FIRST = [f"demo-0-L{layer}{ending}" for layer in range(6) for ending in ("", "-consensus")]


def opened(name: str) -> tuple[AtomDictionary, AtomIndex]:
    return AtomDictionary.load(DICTIONARIES / name), AtomIndex.open(BUNDLED / name)


def test_those_of_the_first_model_have_it_and_stay_small() -> None:
    for name in FIRST:
        dictionary, index = opened(name)
        found = stored(index)
        assert found is not None, "another version of the method: run assets/demo/build_indices.py --beside"
        assert len(found.entries) == len(dictionary)
    files = [path for name in (TABLE, SUMMARY) for path in BUNDLED.glob(f"*/{name}")]
    assert len(files) == 2 * len(FIRST)
    assert sum(path.stat().st_size for path in files) < 2_000_000


@pytest.mark.parametrize("name", ["demo-0-L2", "demo-0-L3-consensus"])
def test_it_is_what_a_fresh_measurement_gives(name: str) -> None:
    dictionary, index = opened(name)
    kept, fresh = stored(index), reading.measured_honesty(dictionary, index)
    assert kept is not None
    assert (kept.contexts, {*kept.matches}) == (fresh.contexts, {*MEASURES})
    assert kept.near == pytest.approx(fresh.near, rel=1e-4)
    np.testing.assert_array_equal(kept.entries, fresh.entries)
    np.testing.assert_array_equal(kept.examples, fresh.examples)
    for measure in MEASURES:
        np.testing.assert_array_equal(kept.defined[measure], fresh.defined[measure])
        if measure == "same_neighbourhood":  # a cosine at the very threshold may round to its other side elsewhere
            apart = np.abs(kept.matches[measure] - fresh.matches[measure]).sum()
            assert apart <= 1e-3 * fresh.matches[measure].sum()
            np.testing.assert_allclose(kept.chances[measure].sum(), fresh.chances[measure].sum(), rtol=1e-3)
        else:
            np.testing.assert_array_equal(kept.matches[measure], fresh.matches[measure])
            np.testing.assert_allclose(kept.chances[measure], fresh.chances[measure], rtol=1e-5, atol=1e-7)
    assert (grades(kept) != grades(fresh)).mean() <= 2 / len(dictionary)


def test_showing_an_atom_measures_nothing(itda: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itda_core.analysis.atoms.honesty.honesty.measure", None)
    code, out, err = itda("atoms", "show", "demo-0-L3-consensus", 17, "--no-logits")
    assert code == 0, err
    assert "honesty" in out


def test_a_small_table_holds_the_same(tmp_path: Path) -> None:
    name = "demo-0-L2"
    shutil.copytree(BUNDLED / name, tmp_path / name)
    index = AtomIndex.open(tmp_path / name)
    found = stored(index)
    assert found is not None
    small = (index.folder / TABLE).stat().st_size
    assert "same_token_share" not in pq.read_schema(index.folder / TABLE).names
    store(index, found)
    assert "same_token_share" in pq.read_schema(index.folder / TABLE).names
    assert small < 0.75 * (index.folder / TABLE).stat().st_size
    again = stored(index)
    assert again is not None
    assert of_dictionary(again) == of_dictionary(found)
    for measure in MEASURES:
        np.testing.assert_array_equal(again.chances[measure], found.chances[measure])


def test_it_belongs_to_its_index_alone(tmp_path: Path) -> None:
    """An index of another dictionary, or made anew, does not take it for its own."""
    shutil.copytree(BUNDLED / "demo-0-L2", tmp_path / "index")
    for name in (TABLE, SUMMARY):
        shutil.copy(BUNDLED / "demo-0-L3" / name, tmp_path / "index" / name)
    assert stored(AtomIndex.open(tmp_path / "index")) is None
