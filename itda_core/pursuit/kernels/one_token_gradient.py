"""Gradient pursuit of one token by the Gram matrix, compiled for the CPU; signed and non-negative.

See one_token for the arguments and what equal correlations are.
"""

from __future__ import annotations

import math

import numpy as np

from itda_core.pursuit.kernels.compiled import compiled
from itda_core.pursuit.kernels.lanes import entry, largest_lane
from itda_core.pursuit.kernels.one_token import (
    REASSOCIATED,
    VALUE,
    exceeds,
    first_reaching_atom,
    lane_rows,
    maxima_of,
    refit,
)


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
def _is_in_use(atom, chosen, alive, n_chosen):
    found = False
    for s in range(n_chosen):
        found = found or (alive[s] and chosen[s] == atom)
    return found


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
        atom = first_reaching_atom(correlations, n_atoms, real(largest - doubt), mask, lanes)
        if not exceeds(correlations[atom], doubt, mask):
            break
        if not _is_in_use(atom, chosen, alive, n_chosen):
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
            refit(correlations, first, gram, chosen, n_chosen, factors, kept, k, n_atoms, mask, lanes)
    for s in range(n_chosen):
        if alive[s]:
            indices[slots[s]] = chosen[s]
            coefficients[slots[s]] = wide[s]
    return max(remaining, 0.0)
