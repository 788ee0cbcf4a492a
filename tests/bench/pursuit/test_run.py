"""A run of the bench: nothing is claimed for what did not run or does not agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from itda_core.bench.pursuit import limits, race, reference
from itda_core.bench.pursuit import run as pursuit_run
from itda_core.bench.pursuit.cases import QUICK, Case, Growth, Plan
from itda_core.bench.pursuit.limits import Rates
from itda_core.bench.pursuit.results import CaseResult
from itda_core.bench.pursuit.run import bench_pursuit, choose_device
from itda_core.bench.synthetic import Atoms
from itda_core.errors import UserError
from itda_core.pursuit import SparseCode
from itda_core.runs.machine import machine

MP, OMP, GP = (Case(method, 64, 16, 4, 32) for method in ("mp", "omp", "gp"))
TINY = replace(QUICK, cases=(MP, OMP, GP), memory=MP, growth=Growth(MP, (16, 32), (2, 4), (32, 64)))


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory and rates are measured in tests of their own."""
    monkeypatch.setattr(limits, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(pursuit_run, "encoding_bytes_apart", lambda cases: [1000 + len(cases)] * len(cases))


def run(plan: Plan = TINY) -> dict[str, CaseResult]:
    return {result.case.name: result for result in bench_pursuit(plan, "cpu").cases}


def assert_no_figures(result: CaseResult) -> None:
    figures = (result.seconds, result.speedup, result.fraction_of_limit, result.peak_bytes, result.times_mp)
    assert figures == (None,) * 5
    assert result.notes


def test_ratios_are_those_of_the_seconds() -> None:
    results = run()
    mp, omp, gp = (results[case.name] for case in (MP, OMP, GP))
    assert mp.seconds is not None
    assert mp.textbook_seconds is not None
    assert mp.limit_seconds is not None
    assert omp.seconds is not None
    assert mp.speedup == mp.textbook_seconds / mp.seconds
    assert mp.fraction_of_limit == mp.limit_seconds / mp.seconds
    assert mp.times_mp is None
    assert omp.times_mp == omp.seconds / mp.seconds
    assert (omp.limit_seconds, omp.fraction_of_limit) == (None, None)
    assert "scaled" in omp.notes[0]
    assert (gp.textbook, gp.textbook_seconds, gp.speedup) == (None, None, None)
    assert mp.relative_error == pytest.approx(mp.textbook_relative_error, abs=1e-5)
    assert omp.relative_error == pytest.approx(omp.textbook_relative_error, abs=1e-5)
    assert mp.peak_bytes == 1005  # three cases, and one followed over two sizes


def test_runs_are_medians_of_as_many_as_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that gives every later call a second more; each input is used in turn."""
    seen: list[float] = []

    def timed(call: Callable[[], object], device: str) -> tuple[float, object]:
        seen.append(float(len(seen)))
        return seen[-1], call()

    monkeypatch.setattr(race, "timed", timed)
    mp = run(replace(TINY, cases=(MP,), rounds=3, ours_per_round=2))[MP.name]
    # 0: ours warms up; then per round one of the textbook and two of ours: 1 2 3 | 4 5 6 | 7 8 9
    assert (mp.warm_up_seconds, mp.textbook_seconds, mp.seconds) == (0.0, 4.0, 5.5)


def test_a_dictionary_that_does_not_fit_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    large = Case("mp", 4_096, 16, 4, 32)
    monkeypatch.setattr(pursuit_run, "machine", lambda: replace(machine(), memory_free=32 * 2**20))
    results = run(replace(TINY, cases=(large, MP)))
    assert_no_figures(results[large.name])
    assert results[large.name].textbook_seconds is None
    assert "MiB" in results[large.name].notes[0]
    assert results[MP.name].speedup is not None


def test_too_little_memory_for_anything_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pursuit_run, "machine", lambda: replace(machine(), memory_free=1000))
    with pytest.raises(UserError, match="free memory"):
        run()


def out_of_memory(*_: object) -> Tensor:
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_textbook_that_runs_out_of_memory_leaves_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference.textbook, "matching_pursuit", out_of_memory)
    mp = run()[MP.name]
    assert mp.seconds is not None
    assert (mp.textbook_seconds, mp.speedup, mp.textbook_relative_error) == (None, None, None)
    assert "ran out of memory" in mp.notes[0]


def test_ours_out_of_memory_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = race.encode_case, []

    def late(case: Case, x: Tensor, dictionary: Atoms) -> SparseCode:
        if case == MP:
            calls.append(case)
            if len(calls) > 2:  # after some of its times were taken
                out_of_memory()
        return real(case, x, dictionary)

    monkeypatch.setattr(race, "encode_case", late)
    results = run()
    assert_no_figures(results[MP.name])
    assert len(calls) == 3
    assert results[OMP.name].seconds is not None
    assert results[OMP.name].times_mp is None


def test_a_worse_code_claims_no_speedup(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(case: Case, x: Tensor, dictionary: Atoms) -> SparseCode:
        return SparseCode(torch.zeros(len(x), case.k, dtype=torch.int64), torch.zeros(len(x), case.k))

    monkeypatch.setattr(race, "encode_case", nothing)
    mp = run()[MP.name]
    assert mp.seconds is not None
    assert mp.textbook_seconds is not None
    assert mp.speedup is None
    assert any("worse" in note for note in mp.notes)


def test_the_memory_case_is_followed_over_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Case] = []

    def peaks(cases: Sequence[Case]) -> list[int]:
        asked.extend(cases)
        return [10 * case.tokens for case in cases]

    monkeypatch.setattr(pursuit_run, "encoding_bytes_apart", peaks)
    found = bench_pursuit(TINY, "cpu")
    assert [(p.tokens, p.peak_bytes, p.code_bytes) for p in found.memory] == [(32, 320, 1536), (128, 1280, 6144)]
    assert asked[:3] == [MP, OMP, GP]


def test_memory_that_could_not_be_measured_is_said_to_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pursuit_run, "encoding_bytes_apart", lambda cases: None)
    found = bench_pursuit(TINY, "cpu")
    assert found.memory == ()
    assert all(result.peak_bytes is None and "could not be measured" in result.notes[-1] for result in found.cases)


def test_the_matrix_rate_is_the_best_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = iter([Rates(3.0, 4.0), Rates(2.0, 5.0), Rates(7.0, 1.0), Rates(1.0, 2.0)])  # before and after each race
    monkeypatch.setattr(pursuit_run, "measure_rates", lambda *_: next(rates))
    results = run(replace(TINY, cases=(MP, Case("mp", 32, 16, 4, 32))))
    assert [result.rates for result in results.values()] == [Rates(7.0, 5.0), Rates(7.0, 2.0)]


def test_devices() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UserError, match="'tpu'"):
        choose_device("tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_named() -> None:
    with pytest.raises(UserError, match="no CUDA device"):
        choose_device("cuda")
