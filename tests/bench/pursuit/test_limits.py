"""The work of a case, counted by hand, and the limit that follows from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from itda_core.bench.pursuit import limits
from itda_core.bench.pursuit.cases import Case
from itda_core.bench.pursuit.limits import Rates, limit_seconds, measure_rates, work

CASE = Case("mp", n_atoms=10, d_model=3, k=4, tokens=5)


def test_work_is_what_the_loops_do() -> None:
    multiply_adds = sum(1 for _ in range(5) for _ in range(10) for _ in range(3))
    gram_entries = sum(1 for _ in range(5) for _ in range(4 - 1) for _ in range(10))
    counted = work(CASE, 4)
    assert counted.product_operations == 2 * multiply_adds
    assert counted.gram_bytes == 4 * gram_entries
    assert counted.textbook_operations == 4 * 2 * multiply_adds
    # per step: atoms and residuals read, correlations written, read, their magnitude written, read; residuals mended
    assert counted.textbook_bytes == 4 * 4 * (10 * 3 + 3 * 5 * 3 + 4 * 5 * 10)


def test_half_precision_rows_are_half_the_bytes() -> None:
    assert work(CASE, 2).gram_bytes == (work(CASE, 4).gram_bytes or 0) / 2


def test_the_limit_adds_both_times() -> None:
    assert limit_seconds(work(CASE, 4), Rates(matrix=100.0, read=50.0)) == pytest.approx(300 / 100 + 600 / 50)


@pytest.mark.parametrize("method", ["omp", "gp"])
def test_no_limit_where_there_is_no_model(method: str) -> None:
    assert limit_seconds(work(Case(method, 10, 3, 4, 5), 4), Rates(100.0, 50.0)) is None


def test_rates_are_those_of_the_best_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([5.0, 2.0, 4.0, 8.0, 4.0, 9.0, 7.0, 0.5, 1.0, 1.0])  # five runs of the product, five of the sum

    def timed(call: Callable[[], object], device: str) -> tuple[float, object]:
        return next(clock), call()

    monkeypatch.setattr(limits, "timed", timed)
    measured = measure_rates(16, 4000, "cpu")
    assert measured == Rates(matrix=2 * 16**3 / 2.0, read=4000 / 0.5)
    assert measured.or_better(Rates(1.0, 9000.0)) == Rates(measured.matrix, 9000.0)


def test_quick_runs_are_repeated_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.04] * 4 + [0.03] + [0.01] * 1000)
    monkeypatch.setattr(limits, "timed", lambda call, device: (next(seconds), call()))
    assert measure_rates(16, 4000, "cpu").matrix == 2 * 16**3 / 0.01  # 0.19 s after five runs
