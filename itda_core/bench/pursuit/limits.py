"""The time a perfect matching pursuit would take on this machine, from rates measured here and work that is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from itda_core.bench.pursuit.cases import OTHERS, Case
from itda_core.bench.timing import matrix_precision, timed

LIMIT = (
    "product_operations / matrix_rate + gram_bytes / read_rate: the correlations of all activations "
    "with all atoms once, at the speed of a large square float32 matrix product (no TF32), then one row of the Gram "
    "matrix read per token and further step, at the speed at which all threads sum an array as large as the Gram "
    "matrix. Finding the maximum, and writing correlations and codes, count as free. Above 1 as a fraction: rows that "
    f"several tokens share came out of a cache. No limit is given for {' and '.join(OTHERS)}: their refits have no "
    "such model."
)
REPEATS = 5
LEAST_SECONDS = 0.2  # of repeating in all


@dataclass(frozen=True)
class Rates:
    """What the device reaches at best in plain torch."""

    matrix: float  # float32 operations per second in a matrix product; a multiply-add is two
    read: float  # bytes per second

    def or_better(self, other: Rates) -> Rates:
        """The better of two measurements: what else runs on the machine only ever takes away."""
        return Rates(max(self.matrix, other.matrix), max(self.read, other.read))


@dataclass(frozen=True)
class Work:
    """What a case must do at least, counted; None where the algorithm leaves it open."""

    product_operations: int  # x @ atoms.T
    gram_bytes: int | None  # read by the steps after the first
    textbook_operations: int | None
    textbook_bytes: int | None  # atoms and residuals read, correlations written and read: every step


def work(case: Case, gram_itemsize: int) -> Work:
    """Counts of a case; a multiply-add is two operations. gram_itemsize: bytes of an entry of the Gram matrix."""
    product = 2 * case.tokens * case.n_atoms * case.d_model
    if case.method != "mp":
        return Work(product, None, None, None)
    dense = case.tokens * case.n_atoms * 4
    # The product writes the correlations, their magnitude is read and written, and the maximum reads it.
    step = 4 * dense + (case.n_atoms + 3 * case.tokens) * case.d_model * 4
    return Work(product, case.tokens * (case.k - 1) * case.n_atoms * gram_itemsize, case.k * product, case.k * step)


def limit_seconds(counted: Work, rates: Rates) -> float | None:
    """Seconds by LIMIT; None where it gives none."""
    if counted.gram_bytes is None:
        return None
    return counted.product_operations / rates.matrix + counted.gram_bytes / rates.read


def measure_rates(matrix_size: int, read_bytes: int, device: str) -> Rates:
    """The best of several runs each: a limit is what the machine can do, not what it usually does."""
    left, right = torch.randn(2, matrix_size, matrix_size, device=device)
    product = torch.empty_like(left)
    with matrix_precision("highest"):
        matrix = _best(lambda: torch.mm(left, right, out=product), device)
    array = torch.ones(read_bytes // 4, device=device)
    return Rates(2 * matrix_size**3 / matrix, array.nbytes / _best(array.sum, device))


def _best(call: Callable[[], object], device: str) -> float:
    call()
    seconds: list[float] = []
    while len(seconds) < REPEATS or sum(seconds) < LEAST_SECONDS:
        seconds.append(timed(call, device)[0])
    return min(seconds)
