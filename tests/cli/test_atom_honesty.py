"""`itda atoms honesty`, on a bundled dictionary that has it, on one whose index is measured, and by an encoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from itda_core.analysis.atoms.honesty.context_vectors import Encoded
from itda_core.analysis.atoms.honesty.grades import GRADES
from itda_core.analysis.atoms.honesty.tallies import MEASURES
from itda_core.dictionaries import AtomDictionary
from itda_core.figures.honesty import MEASURE_NAMES
from itda_core.models import load_model
from itda_core.runs.atoms.reading import index_of, measured_honesty
from itda_core.runs.library import Library
from tests.conftest import Cli

NAME = "demo-0-L1"


def test_grades_are_counted_from_atoms_shown_one_by_one(itda: Cli) -> None:
    code, out, err = itda("atoms", "honesty", NAME, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert {*found} >= {"dictionary", "corpus", "text", "tokens", "grades", "strongest", "everywhere", "contexts"}
    assert (found["dictionary"], found["corpus"], found["text"]) == (NAME, "demo", "held-out")
    assert [one["grade"] for one in found["grades"]] == list(GRADES)
    import pyarrow.parquet as pq

    index = index_of(AtomDictionary.load(Library().find(NAME)))
    assert index is not None
    kept = pq.read_table(index.folder / "honesty.parquet").to_pylist()
    n_entries = sum(sum(one["of_entries"]) for one in kept)
    for one in found["grades"]:
        graded = [atom for atom in kept if atom["grade"] == one["grade"]]
        assert (one["atoms"], one["share"]) == (len(graded), pytest.approx(len(graded) / len(kept)))
        assert one["share_of_use"] == pytest.approx(sum(sum(atom["of_entries"]) for atom in graded) / n_entries)
    for name in MEASURES:
        assert 0 < found["strongest"][name]["chance"] < found["strongest"][name]["share"] <= 1, name


def test_in_a_terminal_each_figure_stands_beside_chance(itda: Cli) -> None:
    found = json.loads(itda("atoms", "honesty", NAME, "--json")[1])
    code, out, err = itda("atoms", "honesty", NAME)
    assert code == 0, err
    lines = out.splitlines()
    assert f"{found['tokens']:,} tokens of demo (held-out)" in lines[0]
    for one in found["grades"]:
        (line,) = (line for line in lines if line.startswith(one["grade"]))
        words = [f"{one['atoms']:,}", f"{one['share']:.1%}", f"{one['share_of_use']:.1%}"]
        assert line.removeprefix(one["grade"]).split() == words
    for name in MEASURES:
        (line,) = (line for line in lines if line.startswith(f"{MEASURE_NAMES[name]} "))
        figures = line.removeprefix(MEASURE_NAMES[name]).split()
        strongest = found["strongest"][name]
        assert figures[:2] == [f"{strongest['share']:.1%}", f"{strongest['chance']:.1%}"]


def test_an_encoder_compares_the_words_around_and_nothing_of_it_is_kept(
    itda: Cli, model_folder_of, tmp_path: Path
) -> None:
    code, _, err = itda("atoms", "index", NAME, "--corpus", "demo", "--tokens", 300)
    assert code == 0, err
    hashed = json.loads(itda("atoms", "honesty", NAME, "--json")[1])
    encoder = str(model_folder_of("bert"))
    code, out, err = itda("atoms", "honesty", NAME, "--encoder", encoder, "--device", "cpu", "--json")
    assert code == 0, err
    found = json.loads(out)
    dictionary = AtomDictionary.load(Library().find(NAME))
    index = index_of(dictionary)
    assert index is not None
    assert index.description.tokens == found["tokens"] < 1000, "one's own index, not the bundled one"
    fresh = measured_honesty(dictionary, index, contexts=Encoded(load_model(encoder)))
    assert found["contexts"] == fresh.contexts != hashed["contexts"]
    assert found["near"] == pytest.approx(fresh.near, rel=1e-4)
    assert found["strongest"]["same_token"] == hashed["strongest"]["same_token"], "only neighbourhoods are others"
    share = fresh.matches["same_neighbourhood"].sum() / fresh.examples.sum()
    assert np.isfinite(share)
    assert found["everywhere"]["same_neighbourhood"] != hashed["everywhere"]["same_neighbourhood"]
    assert json.loads(itda("atoms", "honesty", NAME, "--json")[1]) == hashed, "what is kept is the hashing's"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing-such"], "nothing-such"),
        ([NAME, "--encoder", "no/such/folder"], "no/such/folder"),
        ([NAME, "--encoder", "demo:1", "--dtype", "float7"], "float7"),
    ],
)
def test_what_cannot_be_measured_is_said(itda: Cli, arguments: list[str], sentence: str) -> None:
    code, out, err = itda("atoms", "honesty", *arguments, *(["--offline"] if "--encoder" in arguments else []))
    assert (code, out) == (2, "")
    assert sentence in err


def test_without_an_index_the_way_to_one_is_said(itda: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itda_core.runs.indexing.indices.BUNDLED", tmp_path / "none")
    code, out, err = itda("atoms", "honesty", NAME)
    assert (code, out) == (2, "")
    assert f"There is no index of {NAME}; make one with itda atoms index {NAME}." in err
