"""Matching pursuit by a Gram matrix in 16-bit fixed point, compiled for the CPU: half the reading, and exact all the
same.

The Gram matrix only tells where to look. Correlations corrected by its rounded rows are known up to an error that can
be bounded, so the strongest atom is among the few whose correlation comes within twice that bound of the largest. Those
are correlated with the residual itself, which is kept; the choice and the coefficient are made from these.

Correlations that differ by no more than the error of computing them go to the lower index, as everywhere (see
precision.doubt_of); the screen leaves these in as well.

Two tokens are worked on in turn: while the row that one has chosen is subtracted, the row of the other is on its way
from memory.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from itda_core.pursuit.kernels.compiled import compiled
from itda_core.pursuit.kernels.lanes import LANES, UNIT, block_reaching, largest_lane
from itda_core.pursuit.kernels.one_token import GROUP, REASSOCIATED, VALUE, Limits, lane_rows, maxima_of, subtract_ahead
from itda_core.pursuit.precision import FIXED_ONE

ROUNDING = 0.5 / FIXED_ONE  # of an entry of the fixed-point Gram matrix


class Screen(NamedTuple):
    """What one thread needs beside its tokens; the first dimension is the side, as two tokens are worked on in turn."""

    lanes: Any  # (2, length) running maxima
    residual: Any  # (2, d_model)
    candidates: Any  # (n_atoms,) int64
    strengths: Any  # (n_atoms,) their correlations with the residual
    known: Any  # (2, 3) float64, of each side: see the numbers below


# Residual energy; how far any correlation of the screen may be from the truth; |x| and all weights subtracted.
REMAINING, SCREEN_DOUBT, SIZE = 0, 1, 2


@compiled(fastmath=REASSOCIATED)
def _dot(a, b):
    total = a.dtype.type(0)
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@compiled()
def _candidates(correlations, n_atoms, enough, mask, lanes, candidates):
    """Fills `candidates` with the atoms whose correlation reaches `enough`, in their order; returns how many."""
    units, rows, found = n_atoms // UNIT, lane_rows(n_atoms), 0
    lane = 0
    while True:
        lane = block_reaching(lanes, lane, rows * LANES, enough, VALUE)
        if lane >= rows * LANES:
            return found
        group = lane // LANES
        lane += LANES
        start = group * GROUP * UNIT
        stop = min(start + GROUP * UNIT, units * UNIT)
        if group == rows - 1:  # what remains behind the last whole unit
            start, stop = units * UNIT, units * UNIT
            for i in range(start, n_atoms):
                if (abs(correlations[i]) if mask != VALUE else correlations[i]) >= enough:
                    candidates[found] = i
                    found += 1
        while start < stop:
            start = block_reaching(correlations, start, stop, enough, mask)
            if start < stop:
                for i in range(start, start + LANES):
                    if (abs(correlations[i]) if mask != VALUE else correlations[i]) >= enough:
                        candidates[found] = i
                        found += 1
            start += LANES


@compiled()
def _begin(side, x, correlations, energy, mask, limits: Limits, room):
    """Takes up a token: its residual is the activation itself."""
    room.residual[side][:] = x
    size = math.sqrt(energy)
    room.known[side, REMAINING], room.known[side, SIZE] = energy, size
    room.known[side, SCREEN_DOUBT] = limits.doubt * size
    maxima_of(correlations, len(correlations), mask, room.lanes[side])


@compiled()
def _begin_anew(side, atoms, correlations, mask, limits: Limits, room):
    """All correlations from the residual itself; False where nothing but rounding is left of it."""
    residual = room.residual[side]
    left = math.sqrt(_dot(residual, residual))
    if left <= limits.doubt * room.known[side, SIZE]:
        return False
    for i in range(len(correlations)):
        correlations[i] = _dot(residual, atoms[i])
    maxima_of(correlations, len(correlations), mask, room.lanes[side])
    room.known[side, SCREEN_DOUBT] = limits.doubt * left
    return True


@compiled()
def _choose(side, atoms, correlations, stop, mask, limits: Limits, room):
    """The strongest atom and its correlation with the residual; -1 where the pursuit ends."""
    real, n_atoms, lanes = correlations.dtype.type, len(correlations), room.lanes[side]
    residual, doubt = room.residual[side], limits.doubt * room.known[side, SIZE]
    if not room.known[side, REMAINING] > stop:
        return -1, real(0)
    largest = largest_lane(lanes, lane_rows(n_atoms))
    if largest <= 4 * room.known[side, SCREEN_DOUBT]:  # too many would be candidates
        if not _begin_anew(side, atoms, correlations, mask, limits, room):
            return -1, real(0)
        largest = largest_lane(lanes, lane_rows(n_atoms))
    screen = room.known[side, SCREEN_DOUBT]
    if largest + screen <= doubt:
        return -1, real(0)
    # The true largest is at least `largest - screen`; what equals it is known to within `screen` again.
    enough = real(largest - screen - doubt - screen)
    found = _candidates(correlations, n_atoms, enough, mask, lanes, room.candidates)
    strongest = real(0)
    for i in range(found):
        value = _dot(residual, atoms[room.candidates[i]])
        room.strengths[i] = abs(value) if mask != VALUE else value
        strongest = max(strongest, room.strengths[i])
    if not strongest > doubt:
        return -1, real(0)
    place = 0
    while room.strengths[place] < real(strongest - doubt):
        place += 1
    if not room.strengths[place] > doubt:
        return -1, real(0)
    return room.candidates[place], _dot(residual, atoms[room.candidates[place]])


@compiled()
def _take(side, atom, value, atoms, limits: Limits, room):
    """Subtracts the atom's share from the residual. The correlations are behind until its row is subtracted."""
    residual, row = room.residual[side], atoms[atom]
    for i in range(len(residual)):
        residual[i] -= value * row[i]
    left = math.sqrt(max(room.known[side, REMAINING], 0.0))  # no correlation exceeds it
    room.known[side, SCREEN_DOUBT] += abs(value) * ROUNDING + 0.25 * limits.doubt * left
    room.known[side, SIZE] += abs(np.float64(value))
    room.known[side, REMAINING] -= np.float64(value) * np.float64(value)


@compiled()
def matching(x, atoms, correlations, fixed, energy, stop, mask, limits: Limits, room, indices, coefficients, remaining):
    """Matching pursuit (Mallat and Zhang 1993, section III) of some tokens; see one_token for what is as there.

    x: (n_tokens, d_model); atoms: (n_atoms, d_model); correlations: (n_tokens, n_atoms), <x, atom>, overwritten; fixed:
    (n_atoms, n_atoms) int16, atoms @ atoms.T in units of 1 / FIXED_ONE; energy, stop: (n_tokens,); fills indices and
    coefficients (n_tokens, k) and remaining (n_tokens,), the residual energies.
    """
    real, n_tokens, n_atoms, k = correlations.dtype.type, len(correlations), correlations.shape[1], indices.shape[1]
    token, step, atom = np.full(2, -1), np.zeros(2, np.int64), np.zeros(2, np.int64)
    value = np.zeros(2, correlations.dtype)
    taken_up, side = 0, 1
    while True:
        side = 1 - side
        t = token[side]
        if t >= 0:
            other = 1 - side
            ahead = fixed[atom[other]] if token[other] >= 0 else fixed[atom[side]]
            factor = real(value[side] / FIXED_ONE)
            subtract_ahead(correlations[t], fixed[atom[side]], factor, n_atoms, mask, room.lanes[side], ahead)
        elif taken_up == n_tokens:
            if token[1 - side] < 0:
                return
            continue
        while True:  # until this side has a row to subtract, or no token is left
            if token[side] < 0:
                if taken_up == n_tokens:
                    break
                token[side], step[side] = taken_up, 0
                taken_up += 1
                _begin(side, x[token[side]], correlations[token[side]], energy[token[side]], mask, limits, room)
            t = token[side]
            chosen, share = _choose(side, atoms, correlations[t], stop[t], mask, limits, room)
            if chosen >= 0:
                indices[t, step[side]], coefficients[t, step[side]] = chosen, share
                atom[side], value[side] = chosen, share
                _take(side, chosen, share, atoms, limits, room)
                step[side] += 1
                if step[side] < k:
                    break
            indices[t, step[side] :] = 0
            coefficients[t, step[side] :] = 0
            remaining[t] = max(room.known[side, REMAINING], 0.0)
            token[side] = -1
