"""How far apart two right computations of the same figures may be: from the number format, and from nothing else.

Each operation rounds what it gives by at most eps / 2 of it. A sum of n terms, added in any order, by vectors of any
width, with fused multiplications or without, is within n eps / 2 of the sum of the terms' magnitudes from the true one
(Higham 2002, "Accuracy and Stability of Numerical Algorithms", sections 3.1 and 4.2), so that two such sums lie within
n eps of it from each other. What decides is therefore how many roundings lie one behind the other, and how large the
figures are that are rounded.

Equality to the bit is asked for only where nothing but the machine's state could make a difference: the same
operations, on the same numbers in the same shapes, in one process, with as many threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from itda_core.pursuit.precision import DOUBT

EDGE = 0.15  # of the doubt about a correlation: more than matching pursuit in float32 was ever seen to be off by
CLEAR = 1e-5  # how far from its border the reference must see each decision that float32 is to take as well


class Unclear(AssertionError):
    """The reference would have to decide what rounding decides: choose other data."""


def rounding(roundings: float, scale: float = 1.0, dtype: torch.dtype = torch.float32) -> float:
    """How far apart two computations may be that round figures as large as `scale` so often, one behind another."""
    return roundings * torch.finfo(dtype).eps * scale


def assert_rounded(
    got: Any, expected: Any, roundings: float, scale: float | None = None, dtype: torch.dtype = torch.float32
) -> None:
    """Both are the same but for so many roundings of figures as large as `scale`; None: as the largest expected one."""
    got, expected = (
        np.asarray(values.detach() if isinstance(values, torch.Tensor) else values) for values in (got, expected)
    )
    assert got.shape == expected.shape
    largest = float(np.abs(expected).max(initial=0)) if scale is None else scale
    np.testing.assert_allclose(got, expected, rtol=0, atol=rounding(roundings, largest, dtype))


def assert_rounded_once(got: Any, expected: Any, roundings: float) -> None:
    """Figures that go by float64 products rounded to float32, of which the shapes were not the same.

    Two float64 sums differ by about 1e-16, and float32 numbers lie 1e-8 apart: one sum in a hundred million is rounded
    to the other side. So all figures are equal to the bit but one at most, and that one up to what `roundings` of
    figures of size 1 make of it. Products in float32 would differ in most.
    """
    got, expected = np.asarray(got), np.asarray(expected)
    assert (got != expected).sum() <= 1
    assert_rounded(got, expected, roundings, 1.0)


def assert_clear(values: Any, border: float, margin: float = CLEAR) -> None:
    """No value is so near to the border that another processor's rounding might take it to the other side.

    A test that compares what was decided, and not only figures, needs data of which this holds. Raises Unclear.
    """
    distance = np.abs(np.asarray(values, dtype=np.float64) - border)
    if not distance.min(initial=np.inf) > margin:
        raise Unclear(f"a value is {distance.min():.1e} from {border}: choose other data")


def strongest(correlations: np.ndarray, size: float) -> int:
    """The atom that a pursuit in float32 takes: the lowest of those as strong as the strongest, see forms.doubt_of.

    correlations: (n_atoms,) with the residual, in float64; size: |x| and the weights subtracted so far, each time
    counted. Raises Unclear where an atom lies so near to the edge of what counts as equal that float32 may see it on
    the other side.
    """
    doubt = DOUBT * float(torch.finfo(torch.float32).eps) * size
    strengths = np.abs(correlations)
    behind = strengths.max() - strengths
    if (np.abs(behind - doubt) < EDGE * doubt).any():
        raise Unclear("an atom is as far behind the strongest as the two may be taken for equal")
    return int((behind <= doubt).argmax())


def on_clear_data(check: Callable[[int], None], seeds: Iterable[int] = range(8)) -> None:
    """Runs `check` with the first seed whose data leave nothing to rounding.

    For data that are themselves computed by what another processor rounds otherwise, so that no seed is clear on all.
    """
    for seed in seeds:
        with suppress(Unclear):
            return check(seed)
    raise AssertionError("none of the seeds gives clear data")
