"""Orthogonal matching pursuit of one token by the Gram matrix, compiled for the CPU; signed and non-negative.

See one_token for the arguments and what equal correlations are.
"""

from __future__ import annotations

import math

import numpy as np

from itda_core.pursuit.kernels.compiled import compiled
from itda_core.pursuit.kernels.lanes import UNIT, ask_for, entry, largest_lane
from itda_core.pursuit.kernels.one_token import REASSOCIATED, exceeds, first_reaching_atom, lane_rows, maxima_of, refit


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
        atom = first_reaching_atom(correlations, n_atoms, real(largest - doubt), mask, lanes)
        if _is_chosen(atom, indices, step):
            _without_chosen(correlations, indices, step, n_atoms, mask, lanes)
            largest = largest_lane(lanes, lane_rows(n_atoms))
            if not largest > doubt:
                break
            atom = first_reaching_atom(correlations, n_atoms, real(largest - doubt), mask, lanes)
        if not exceeds(correlations[atom], doubt, mask):
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
            refit(correlations, first, gram, indices, taken, factors, kept, k, n_atoms, mask, lanes)
    for s in range(taken):
        coefficients[s] = wide[s]
    indices[taken:k] = 0
    coefficients[taken:k] = 0
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
        atom = first_reaching_atom(correlations, n_atoms, real(largest - doubt), mask, lanes)
        if not exceeds(correlations[atom], doubt, mask):
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
            refit(correlations, first, gram, indices, taken, factors, kept, k, n_atoms, mask, lanes)
    for s in range(k):
        if s >= taken or not alive[s]:
            indices[s] = 0
            wide[s] = 0.0
        coefficients[s] = wide[s]
    return max(remaining, 0.0)
