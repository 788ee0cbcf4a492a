"""The three pursuits of one token by the Gram matrix, compiled for the CPU: correlations stay in the cache.

All take `correlations` (n_atoms,), <x, atom>, and `gram` (>= n_atoms, >= n_atoms), atoms @ atoms.T in the same dtype
or as the bits of float16; `energy` |x|^2 and `stop`, the residual energy at which the token is done; `limits`, and a
`mask` (lanes.mask_of) that decides whether correlations are compared by magnitude or, for non-negative codes, by value.
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
    ask_for,
    entry,
    first_reaching,
    largest_lane,
    maxima,
    subtract_row,
    subtract_rows,
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
    eps = float(np.finfo(dtype).eps)
    return Limits(DOUBT * eps, DEPENDENT * eps)


def lanes_length(n_atoms: int) -> int:
    """How long `lanes`, the running maxima of n_atoms correlations, must be."""
    return (n_atoms // UNIT // GROUP + 3) * LANES


@compiled()
def _tail(correlations, n_atoms, start, mask, lanes, at):
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
    units, at = n_atoms // UNIT, 0
    for start in range(0, units, GROUP):
        maxima(correlations, start * UNIT, min(GROUP, units - start), mask, lanes, at)
        at += LANES
    _tail(correlations, n_atoms, units * UNIT, mask, lanes, at)


@compiled()
def subtract_ahead(correlations, row, factor, n_atoms, mask, lanes, ahead):
    """correlations -= factor * row, and their maxima; `ahead` is the row that will be needed next."""
    units, at = n_atoms // UNIT, 0
    for start in range(0, units, GROUP):
        subtract_row(correlations, row, factor, start * UNIT, min(GROUP, units - start), mask, lanes, at, ahead)
        at += LANES
    for i in range(units * UNIT, n_atoms):
        correlations[i] -= factor * entry(row, i, factor)
    _tail(correlations, n_atoms, units * UNIT, mask, lanes, at)


@compiled()
def _refit(correlations, first, gram, chosen, n_chosen, factors, kept, room, n_atoms, mask, lanes):
    """correlations = first - sum of factors x Gram rows of the chosen atoms; the last of them may be new to `kept`."""
    units, at, newest = n_atoms // UNIT, 0, n_chosen - 1
    row = gram[chosen[newest]]
    for start in range(0, units, GROUP):
        subtract_rows(
            correlations, first, row, kept, factors, newest, room,
            start * UNIT, min(GROUP, units - start), mask, lanes, at,
        )  # fmt: skip
        at += LANES
    for i in range(units * UNIT, n_atoms):
        left = first[i]
        for s in range(n_chosen):
            left -= factors[s] * entry(gram[chosen[s]], i, left)
        correlations[i] = left
    _tail(correlations, n_atoms, units * UNIT, mask, lanes, at)


@compiled()
def lane_rows(n_atoms):
    return -(-(n_atoms // UNIT) // GROUP) + 1


@compiled()
def _place(correlations, n_atoms, enough, mask, lanes):
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
def _exceeds(correlation, doubt, mask):
    return (abs(correlation) if mask != VALUE else correlation) > doubt


@compiled()
def strongest(correlations, n_atoms, mask, doubt, lanes):
    """The atom of the largest correlation, that correlation (zero when none is above zero), and the largest."""
    real = correlations.dtype.type
    maxima_of(correlations, n_atoms, mask, lanes)
    largest = largest_lane(lanes, lane_rows(n_atoms))
    if largest <= doubt:  # all are equal
        return 0, (correlations[0] if mask != VALUE else max(correlations[0], real(0))), largest
    atom = _place(correlations, n_atoms, real(largest - doubt), mask, lanes)
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
        atom = _place(correlations, n_atoms, real(largest - doubt), mask, lanes)
        value = correlations[atom]
        if not _exceeds(value, doubt, mask):
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


@compiled(fastmath=REASSOCIATED)
def _grow_inverse(inverse, weights, overlaps, step):
    """weights = W @ overlaps, and row `step` of W becomes -(weights @ W), both over the rows there are."""
    newest = inverse[step]
    newest[:step] = 0.0
    length = 0.0
    for i in range(step):
        row = inverse[i]
        weight = 0.0
        for j in range(i + 1):
            weight += row[j] * overlaps[j]
        weights[i] = weight
        length += weight * weight
        for j in range(i + 1):
            newest[j] -= weight * row[j]
    return length


@compiled()
def _without_chosen(correlations, chosen, n_chosen, n_atoms, mask, lanes):
    """Chosen atoms' correlations are zero but for rounding; here they become zero."""
    for s in range(n_chosen):
        correlations[chosen[s]] = 0
    maxima_of(correlations, n_atoms, mask, lanes)


@compiled()
def _is_chosen(atom, chosen, n_chosen):
    found = False
    for s in range(n_chosen):
        found = found or chosen[s] == atom
    return found


@compiled()
def orthogonal(
    first, correlations, gram, n_atoms, k, energy, stop, mask, limits, lanes, kept, indices, coefficients
):  # fmt: skip
    """Orthogonal matching pursuit (Pati et al. 1993; by the Gram matrix after Rubinstein et al. 2008).

    first: <x, atom>, not written to; correlations (n_atoms,) and kept (n_atoms * k,) are room. The inverse W of the
    Cholesky factor of the chosen atoms' Gram matrix grows by a row a step, in float64.
    """
    real = first.dtype.type
    size = math.sqrt(energy)  # of |x| and the weights subtracted so far
    inverse, weights, overlaps = np.zeros((k, k)), np.empty(k), np.empty(k)
    fitted, wide, factors = np.empty(k), np.zeros(k), np.empty(k, first.dtype)
    remaining = energy
    correlations[:n_atoms] = first[:n_atoms]
    maxima_of(correlations, n_atoms, mask, lanes)
    taken = 0
    for step in range(k):
        largest = largest_lane(lanes, lane_rows(n_atoms))
        doubt = limits.doubt * size
        if not (largest > doubt and remaining > stop):
            break
        atom = _place(correlations, n_atoms, real(largest - doubt), mask, lanes)
        if _is_chosen(atom, indices, step):
            _without_chosen(correlations, indices, step, n_atoms, mask, lanes)
            largest = largest_lane(lanes, lane_rows(n_atoms))
            if not largest > doubt:
                break
            atom = _place(correlations, n_atoms, real(largest - doubt), mask, lanes)
        if not _exceeds(correlations[atom], doubt, mask):
            break
        row = gram[atom]
        ask_for(row, n_atoms // UNIT)
        for s in range(step):
            overlaps[s] = entry(row, indices[s], largest)
        length = np.float64(entry(row, atom, largest)) - _grow_inverse(inverse, weights, overlaps, step)
        if not length > limits.dependent:
            break
        scale = 1.0 / math.sqrt(length)
        projection = np.float64(first[atom])
        for s in range(step):
            projection -= weights[s] * fitted[s]
            inverse[step, s] *= scale
        inverse[step, step] = scale
        fitted[step] = projection * scale
        indices[step] = atom
        taken = step + 1
        size = math.sqrt(energy)
        for s in range(taken):
            wide[s] += fitted[step] * inverse[step, s]
            factors[s] = wide[s]
            size += abs(wide[s])
        remaining -= fitted[step] * fitted[step]
        if taken < k:
            _refit(correlations, first, gram, indices, taken, factors, kept, k, n_atoms, mask, lanes)
    for s in range(k):
        if s < taken:
            coefficients[s] = wide[s]
        else:
            indices[s] = 0
            coefficients[s] = 0
    return max(remaining, 0.0)


@compiled(fastmath=REASSOCIATED)
def _least_squares(small, right, passive, n_passive, factor, solution, dependent):
    """Solves small[passive, passive] @ solution = right[passive] by Cholesky; False when it is singular."""
    for i in range(n_passive):
        for j in range(i + 1):
            total = small[passive[i], passive[j]]
            for s in range(j):
                total -= factor[i, s] * factor[j, s]
            if i == j:
                if not total > dependent:
                    return False
                factor[i, i] = math.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    for i in range(n_passive):
        total = right[passive[i]]
        for s in range(i):
            total -= factor[i, s] * solution[s]
        solution[i] = total / factor[i, i]
    for i in range(n_passive - 1, -1, -1):
        total = solution[i]
        for s in range(i + 1, n_passive):
            total -= factor[s, i] * solution[s]
        solution[i] = total / factor[i, i]
    return True


@compiled()
def _non_negative_fit(small, right, wide, alive, n_chosen, passive, factor, solution, dependent):
    """The non-negative least-squares fit with one more atom (Lawson and Hanson 1974, chapter 23): `wide` and `alive`.

    Atoms whose coefficient reaches zero leave. False when the newest atom lies in the span of the others.
    """
    while True:
        n_passive = 0
        for s in range(n_chosen):
            if alive[s]:
                passive[n_passive] = s
                n_passive += 1
        if not _least_squares(small, right, passive, n_passive, factor, solution, dependent):
            return False
        share = 1.0
        for i in range(n_passive):
            now = wide[passive[i]]
            if solution[i] <= 0.0:
                share = min(share, now / (now - solution[i]) if now > solution[i] else 0.0)
        if share == 1.0 and (n_passive == 0 or solution[:n_passive].min() > 0.0):
            for i in range(n_passive):
                wide[passive[i]] = solution[i]
            return True
        for i in range(n_passive):
            s = passive[i]
            now = wide[s]
            leaves = solution[i] <= 0.0 and (now <= solution[i] or now / (now - solution[i]) <= share)
            wide[s] = 0.0 if leaves else now + share * (solution[i] - now)
            alive[s] = not leaves


@compiled()
def non_negative_orthogonal(
    first, correlations, gram, n_atoms, k, energy, stop, mask, limits, lanes, kept, indices, coefficients
):  # fmt: skip
    """`orthogonal` with coefficients held at or above zero: at each step the non-negative least-squares fit.

    An atom whose coefficient falls to zero leaves its slot and may come again in a later one.
    """
    real = first.dtype.type
    size = math.sqrt(energy)  # of |x| and the weights subtracted so far
    small, factor = np.empty((k, k)), np.empty((k, k))
    right, wide, solution, before = np.empty(k), np.zeros(k), np.empty(k), np.zeros(k)
    alive, passive, was_alive = np.zeros(k, np.bool_), np.empty(k, np.int64), np.zeros(k, np.bool_)
    factors = np.empty(k, first.dtype)
    remaining = energy
    correlations[:n_atoms] = first[:n_atoms]
    maxima_of(correlations, n_atoms, mask, lanes)
    taken = 0
    for step in range(k):
        largest = largest_lane(lanes, lane_rows(n_atoms))
        doubt = limits.doubt * size
        if not (largest > doubt and remaining > stop):
            break
        atom = _place(correlations, n_atoms, real(largest - doubt), mask, lanes)
        if not _exceeds(correlations[atom], doubt, mask):
            break
        row = gram[atom]
        indices[step] = atom
        for s in range(step + 1):
            small[step, s] = small[s, step] = entry(row, indices[s], largest)
        right[step] = first[atom]
        before[:] = wide
        was_alive[:] = alive
        alive[step] = True
        fits = _non_negative_fit(small, right, wide, alive, step + 1, passive, factor, solution, limits.dependent)
        if not (fits and alive[step]):
            wide[:] = before
            alive[:] = was_alive
            break
        taken = step + 1
        remaining, size = energy, math.sqrt(energy)
        for s in range(taken):
            remaining -= wide[s] * right[s]
            factors[s] = wide[s]
            size += abs(wide[s])
        if taken < k:
            _refit(correlations, first, gram, indices, taken, factors, kept, k, n_atoms, mask, lanes)
    for s in range(k):
        if s >= taken or not alive[s]:
            indices[s] = 0
            wide[s] = 0.0
        coefficients[s] = wide[s]
    return max(remaining, 0.0)


@compiled(fastmath=REASSOCIATED)
def _energy(small, direction, n_chosen):
    """|the sum of direction[s] x chosen atom s|^2, by the chosen atoms' Gram matrix."""
    total = 0.0
    for s in range(n_chosen):
        row, product = small[s], 0.0
        for r in range(n_chosen):
            product += row[r] * direction[r]
        total += direction[s] * product
    return total


@compiled()
def gradient(
    first, correlations, gram, n_atoms, k, energy, stop, mask, limits, lanes, kept, indices, coefficients
):  # fmt: skip
    """Gradient pursuit (Blumensath and Davies 2008, section III); room as in `orthogonal`.

    For non-negative codes the step along the gradient ends where the first coefficient reaches zero; its atom leaves.
    """
    real = first.dtype.type
    size = math.sqrt(energy)  # of |x| and the weights subtracted so far
    small, direction, wide = np.empty((k, k)), np.empty(k), np.zeros(k)
    chosen, slots, alive = np.empty(k, np.int64), np.empty(k, np.int64), np.zeros(k, np.bool_)
    factors = np.empty(k, first.dtype)
    remaining = energy
    correlations[:n_atoms] = first[:n_atoms]
    maxima_of(correlations, n_atoms, mask, lanes)
    n_chosen = 0
    indices[:k] = 0
    coefficients[:k] = 0
    for step in range(k):
        largest = largest_lane(lanes, lane_rows(n_atoms))
        doubt = limits.doubt * size
        if not (largest > doubt and remaining > stop):
            break
        atom = _place(correlations, n_atoms, real(largest - doubt), mask, lanes)
        if not _exceeds(correlations[atom], doubt, mask):
            break
        known = False
        for s in range(n_chosen):
            known = known or (alive[s] and chosen[s] == atom)
        if not known:
            row = gram[atom]
            chosen[n_chosen], slots[n_chosen], alive[n_chosen] = atom, step, True
            for s in range(n_chosen + 1):
                small[n_chosen, s] = small[s, n_chosen] = entry(row, chosen[s], largest)
            n_chosen += 1
        slope = 0.0
        for s in range(n_chosen):
            direction[s] = np.float64(correlations[chosen[s]]) if alive[s] else 0.0
            slope += direction[s] * direction[s]
        along = _energy(small, direction, n_chosen)
        length = slope / along if along > 0.0 else 0.0
        if mask == VALUE:
            for s in range(n_chosen):
                if direction[s] < 0.0:
                    length = min(length, -wide[s] / direction[s])
        size = math.sqrt(energy)
        for s in range(n_chosen):
            moved = wide[s] + length * direction[s]
            if mask == VALUE and alive[s] and direction[s] < 0.0 and -wide[s] / direction[s] <= length:
                moved = 0.0
                alive[s] = False
            wide[s] = moved
            factors[s] = moved
            size += abs(moved)
        remaining -= length * (2.0 * slope - length * along)
        if step + 1 < k:
            _refit(correlations, first, gram, chosen, n_chosen, factors, kept, k, n_atoms, mask, lanes)
    for s in range(n_chosen):
        if alive[s]:
            indices[slots[s]] = chosen[s]
            coefficients[slots[s]] = wide[s]
    return max(remaining, 0.0)
