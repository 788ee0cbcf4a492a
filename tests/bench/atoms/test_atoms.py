"""`itda bench atoms`: what it draws, its JSON and its table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from itda_core import UserError
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.bench.atoms import run
from itda_core.bench.atoms.drawn import batches
from itda_core.bench.atoms.plan import QUICK
from itda_core.bench.atoms.run import bench_atoms, write
from tests.bench.test_cli_bench import CONTRACT
from tests.conftest import Cli


def test_what_is_drawn_is_an_index_whose_texts_hold_its_tokens(tmp_path: Path) -> None:
    _, entries = write(QUICK, tmp_path / "work", tmp_path / "index")
    index = AtomIndex.open(tmp_path / "index")
    assert (index.description.tokens, index.description.entries) == (QUICK.tokens, entries)
    tokens = index.tokens(range(QUICK.tokens))
    for token in range(0, QUICK.tokens, 97):
        (window,) = index.windows([int(tokens.window[token])])
        assert window.text[tokens.char_start[token] : tokens.char_end[token]].startswith(" ")
    uses = np.sort(index.sums["positive"] + index.sums["negative"])
    assert uses[-1] > 3 * np.median(uses)  # few atoms come often
    assert 0.8 * QUICK.tokens * QUICK.k < entries < QUICK.tokens * QUICK.k  # and some twice at a token


def test_the_same_seed_draws_the_same() -> None:
    for one, two in zip(batches(QUICK), batches(QUICK), strict=True):
        assert np.array_equal(one.indices, two.indices)
        assert list(one.texts) == list(two.texts)


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(UserError, match="cannot be drawn"):
        bench_atoms(replace(QUICK, k=QUICK.atoms + 1))


def test_json_is_one_object_with_the_contracts_keys(itda: Cli) -> None:
    code, out, err = itda("bench", "atoms", "--quick", "--json")
    assert (code, err) == (0, "")
    (case,) = json.loads(out)["cases"]
    assert set(case) >= CONTRACT
    assert case["entries_per_second"] == pytest.approx(case["entries"] / case["seconds"])
    assert case["whole_beside_encoding"] == pytest.approx(case["whole_seconds"] / case["encoding_seconds"])
    assert case["peak_bytes"] > 0
    assert 0 < case["page_seconds"] <= case["slowest_page_seconds"]


def test_a_table_for_people_says_what_could_not_be_measured(itda: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_peak_apart", lambda plan: None)
    monkeypatch.setattr(run, "_out_of_cache", lambda folder: False)
    code, out, _ = itda("bench", "atoms", "--quick")
    assert code == 0
    assert QUICK.name in out
    assert "The memory could not be measured." in out
    assert "cannot be asked to forget" in out
