"""`itda bench compare`: its figures, its check of the values, its JSON and its table."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from itda_core import UserError
from itda_core.bench.comparison import run
from itda_core.bench.comparison.drawn import frames
from itda_core.bench.comparison.plan import QUICK, ComparePlan
from itda_core.bench.comparison.run import bench_compare, compare_frames
from tests.conftest import Cli

TINY = ComparePlan(dictionaries=8, atoms=60, layers=4, documents=40, tokens=10, repeats=1)
CONTRACT = {
    *("name", "n_atoms", "d_model", "k", "tokens", "seconds", "textbook_seconds", "speedup", "limit_seconds"),
    *("fraction_of_limit", "peak_bytes"),
}


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_peak_apart", lambda plan: 3 * 2**20)


def test_drawn_dictionaries_overlap_more_within_a_model() -> None:
    found = compare_frames(frames(TINY), 400).jaccard
    own = np.kron(np.eye(2, dtype=bool), np.ones((4, 4), bool)) & ~np.eye(8, dtype=bool)
    assert found[own].mean() > found[~own & ~np.eye(8, dtype=bool)].mean() + 0.05
    assert [len(frame) for frame in frames(TINY)] == [60] * 8
    chosen = frames(TINY)[0]
    assert not chosen.duplicated(["document", "window_start", "char_end"]).any()


@pytest.mark.usefixtures("no_process")
def test_pairs_that_were_not_timed_are_scaled_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(run.time, "perf_counter", lambda: float(next(ticks)))
    found = bench_compare(replace(TINY, sets_seconds=6.5))
    # ours: one tick; the sets: one tick; then a tick per pair until more than 6.5 have passed, and one to end
    assert (found.seconds, found.textbook_built_seconds, found.textbook_pairs) == (1.0, 1.0, 7)
    assert found.textbook_seconds == pytest.approx(1 + 8 * 28 / 7)
    assert found.speedup == found.textbook_seconds
    assert found.peak_bytes == 3 * 2**20


@pytest.mark.usefixtures("no_process")
def test_a_value_that_differs_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = run.compare_frames

    def wrong(*arguments: object) -> object:
        found = real(*arguments)  # pyright: ignore[reportArgumentType]
        found.jaccard[:] += 1e-9
        return found

    monkeypatch.setattr(run, "compare_frames", wrong)
    with pytest.raises(UserError, match="ours says"):
        bench_compare(TINY)


def test_sizes_that_cannot_be_are_refused() -> None:
    for plan in (replace(TINY, dictionaries=1), replace(TINY, atoms=400), replace(TINY, atoms=0)):
        with pytest.raises(UserError, match="cannot be drawn"):
            bench_compare(plan)


def test_json_is_one_object_with_the_contracts_keys(itda: Cli) -> None:
    code, out, err = itda("bench", "compare", "--quick", "--json")
    assert (code, err) == (0, "")
    (case,) = json.loads(out)["cases"]
    assert set(case) >= CONTRACT
    assert case["pairs"] == case["textbook_pairs"] == QUICK.pairs
    assert case["speedup"] == pytest.approx(case["textbook_seconds"] / case["seconds"])
    assert case["peak_bytes"] >= 0
    assert 0 < case["jaccard_median"] < case["jaccard_largest"] < 1


@pytest.mark.usefixtures("no_process")
def test_a_table_for_people(itda: Cli) -> None:
    code, out, err = itda("bench", "compare", "--quick")
    assert (code, err) == (0, "")
    header, row, *_ = out.splitlines()
    assert header.split() == ["case", "pairs", "s", "sets", "speedup", "MiB"]
    assert row.startswith(QUICK.name)
    assert row.split()[-1] == "3"
    assert "pairwise Python sets" in out
