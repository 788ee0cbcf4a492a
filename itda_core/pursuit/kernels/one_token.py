"""Matching pursuit of one token by the Gram matrix, compiled for the CPU: correlations stay in the cache.

All pursuits of one token, those of one_token_refit too, take `correlations` (n_atoms,), <x, atom>, and `gram`
(>= n_atoms, >= n_atoms), atoms @ atoms.T in the same dtype or as the bits of float16; `energy` |x|^2 and `stop`, the
residual energy at which the token is done; `limits`, and a `mask` (lanes.mask_of) that decides whether correlations are
compared by magnitude or, for non-negative codes, by value.
They fill `indices` and `coefficients` (k,) in step order, zeros in unused slots, and return the residual energy.
Correlations that differ by no more than the error of computing them (precision.doubt_of) are equal, and go to the lower
index; steps that would only fit that error are not taken.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from itda_core.pursuit.kernels.compiled import compiled
from itda_core.pursuit.kernels.lanes import (
    LANES,
    UNIT,
    entry,
    first_reaching,
    largest_lane,
    maxima,
    subtract_row,
)
from itda_core.pursuit.precision import DEPENDENT, DOUBT

GROUP = 8  # units whose maxima are kept together; the place of a maximum is looked for in one group only
VALUE = -1  # the mask that compares as is

REASSOCIATED = {"reassoc", "contract", "nsz"}  # for short float64 sums, whose order does not matter


class Limits(NamedTuple):
    """What is rounding, in the dtype of the correlations."""

    doubt: float  # of |x| and of each weight subtracted: how far a correlation may be from the true one
    dependent: float  # squared distance to the span of the chosen atoms at which an atom adds nothing


def limits_of(dtype: np.dtype) -> Limits:
    """The limits for correlations of that dtype."""
    eps = float(np.finfo(dtype).eps)
    return Limits(DOUBT * eps, DEPENDENT * eps)


def lanes_length(n_atoms: int) -> int:
    """How long `lanes`, the running maxima of n_atoms correlations, must be."""
    return (n_atoms // UNIT // GROUP + 3) * LANES


@compiled()
def tail_maximum(correlations, n_atoms, start, mask, lanes, at):
    """The maximum of what remains behind the last whole unit, as lanes of its own; returns the number of lane rows."""
    largest = correlations.dtype.type(0)
    for i in range(start, n_atoms):
        strength = abs(correlations[i]) if mask != VALUE else correlations[i]
        if strength > largest:
            largest = strength
    lanes[at : at + LANES] = 0
    lanes[at] = largest


@compiled()
def maxima_of(correlations, n_atoms, mask, lanes):
    """Fills `lanes` with the running maxima of the correlations."""
    units, at = n_atoms // UNIT, 0
    for start in range(0, units, GROUP):
        maxima(correlations, start * UNIT, min(GROUP, units - start), mask, lanes, at)
        at += LANES
    tail_maximum(correlations, n_atoms, units * UNIT, mask, lanes, at)


@compiled()
def subtract_ahead(correlations, row, factor, n_atoms, mask, lanes, ahead):
    """correlations -= factor * row, and their maxima; `ahead` is the row that will be needed next."""
    units, at = n_atoms // UNIT, 0
    for start in range(0, units, GROUP):
        subtract_row(correlations, row, factor, start * UNIT, min(GROUP, units - start), mask, lanes, at, ahead)
        at += LANES
    for i in range(units * UNIT, n_atoms):
        correlations[i] -= factor * entry(row, i, factor)
    tail_maximum(correlations, n_atoms, units * UNIT, mask, lanes, at)


@compiled()
def lane_rows(n_atoms):
    """How many rows of LANES running maxima there are."""
    return -(-(n_atoms // UNIT) // GROUP) + 1


@compiled()
def place_of(correlations, n_atoms, enough, mask, lanes):
    """The lowest index at which the correlation reaches `enough`, which one of them does."""
    groups = lane_rows(n_atoms) - 1
    group = first_reaching(lanes, 0, enough, mask) // LANES
    if group < groups:
        return first_reaching(correlations, group * GROUP * UNIT, enough, mask)
    i = n_atoms // UNIT * UNIT
    while (abs(correlations[i]) if mask != VALUE else correlations[i]) < enough:
        i += 1
    return i


@compiled()
def exceeds(correlation, doubt, mask):
    """Whether a correlation is more than what rounding may make of nothing."""
    return (abs(correlation) if mask != VALUE else correlation) > doubt


@compiled()
def strongest(correlations, n_atoms, mask, doubt, lanes):
    """The atom of the largest correlation, that correlation (zero when none is above zero), and the largest."""
    real = correlations.dtype.type
    maxima_of(correlations, n_atoms, mask, lanes)
    largest = largest_lane(lanes, lane_rows(n_atoms))
    if largest <= doubt:  # all are equal
        return 0, (correlations[0] if mask != VALUE else max(correlations[0], real(0))), largest
    atom = place_of(correlations, n_atoms, real(largest - doubt), mask, lanes)
    return atom, correlations[atom], largest


@compiled()
def matching(correlations, gram, n_atoms, k, energy, stop, mask, limits, lanes, indices, coefficients):
    """Matching pursuit (Mallat and Zhang 1993, section III). `correlations` become those of the residual."""
    real = correlations.dtype.type
    size = math.sqrt(energy)  # of |x| and the weights subtracted so far
    remaining = energy
    maxima_of(correlations, n_atoms, mask, lanes)
    for step in range(k):
        largest = largest_lane(lanes, lane_rows(n_atoms))
        doubt = limits.doubt * size
        if not (largest > doubt and remaining > stop):
            indices[step:k] = 0
            coefficients[step:k] = 0
            break
        atom = place_of(correlations, n_atoms, real(largest - doubt), mask, lanes)
        value = correlations[atom]
        if not exceeds(value, doubt, mask):
            indices[step:k] = 0
            coefficients[step:k] = 0
            break
        indices[step], coefficients[step] = atom, value
        remaining -= np.float64(value) * np.float64(value)
        size += abs(np.float64(value))
        if step + 1 < k:
            row = gram[atom]
            subtract_ahead(correlations, row, value, n_atoms, mask, lanes, row)
    return max(remaining, 0.0)
