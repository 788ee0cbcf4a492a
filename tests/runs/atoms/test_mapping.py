"""The map of a dictionary's atoms as a job: made, kept, read again; damaged ones are said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from itda_core.analysis.atoms import layout
from itda_core.analysis.atoms.layout import Layout
from itda_core.errors import UserError
from itda_core.runs.atoms.mapping import MapRequest, kept, make_map, map_seconds, path_of
from itda_core.runs.jobs.kinds import KINDS, kind_of
from itda_core.runs.library import Library
from tests.runs.samples import make_dictionary


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ITDA_HOME", str(tmp_path))
    return Library().add(make_dictionary(), name="mine")


def identity_of(path: Path) -> str:
    return next(str(entry.identity) for entry in Library().entries() if entry.path == path)


def test_a_map_is_made_and_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = np.random.default_rng(0).normal(size=(len(make_dictionary()), 2)).astype(np.float32)
    monkeypatch.setattr(layout, "umap", lambda atoms: Layout(given[: len(atoms)], None))
    request = MapRequest("mine")
    assert kind_of(request) is KINDS["map"]
    *_, last = make_map(request)
    assert last.map is not None
    assert (last.map.identity, last.map.atoms) == (identity_of(path), len(given))
    found = kept(identity_of(path), len(given))
    assert found is not None
    assert np.array_equal(found.places, given)
    Library().remove("mine")
    assert not path_of(last.map.identity).exists(), "it goes with its dictionary"


def test_there_is_none_before_it_was_made(path: Path) -> None:
    assert kept(identity_of(path), 3) is None


@pytest.mark.parametrize("places", [np.zeros((2, 2)), np.full((3, 2), np.nan), np.zeros((3, 2), dtype=int), None])
def test_a_damaged_map_is_said(path: Path, places: np.ndarray | None) -> None:
    file = path_of(identity_of(path))
    file.parent.mkdir(parents=True)
    if places is None:
        file.write_bytes(b"\x93NUMPY and then nothing")
    else:
        np.save(file, places)
    with pytest.raises(UserError, match="damaged; make it anew"):
        kept(identity_of(path), 3)


def test_how_long_it_takes_grows_with_the_atoms(path: Path) -> None:
    fast, slow = map_seconds(MapRequest(str(path)))
    assert 0 < fast < slow
    with pytest.raises(UserError, match="No dictionary is called"):
        map_seconds(MapRequest("nosuch"))
