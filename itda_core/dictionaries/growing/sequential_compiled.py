"""Sequential selection compiled for the CPU: each activation judged in its turn, by the pursuits of one token."""

from __future__ import annotations

import numpy as np

from itda_core.pursuit.kernels import one_token
from itda_core.pursuit.kernels.compiled import compiled
from itda_core.pursuit.kernels.lanes import UNIT

UNIT_ENERGY, NEVER = 1.0, -np.inf  # of activations of unit norm, whose pursuits end by themselves only


# The same loop for each pursuit, because a compiled function that is handed another one cannot be kept on disk.
@compiled()
def _next_by_mp(correlations, gram, n_atoms, start, threshold, mask, limits, room, indices, coefficients, errors):
    """Judges rows from `start` on, into `errors`; returns the first that is worse than `threshold`, or their number.

    correlations: (n_tokens, >= n_atoms) float32, <x, atom> of unit vectors, overwritten by those of the residuals.
    """
    for token in range(start, len(correlations)):
        errors[token] = one_token.matching(
            correlations[token], gram, n_atoms, len(indices), UNIT_ENERGY, NEVER, mask, limits, room.lanes,
            indices, coefficients,
        )  # fmt: skip
        if errors[token] > threshold:
            return token
    return len(correlations)


@compiled()
def _next_by_omp(correlations, gram, n_atoms, start, threshold, mask, limits, room, indices, coefficients, errors):
    for token in range(start, len(correlations)):
        errors[token] = one_token.orthogonal(
            correlations[token], room.now, gram, n_atoms, len(indices), UNIT_ENERGY, NEVER, mask, limits, room.lanes,
            room.kept, indices, coefficients,
        )  # fmt: skip
        if errors[token] > threshold:
            return token
    return len(correlations)


@compiled()
def _next_by_gp(correlations, gram, n_atoms, start, threshold, mask, limits, room, indices, coefficients, errors):
    for token in range(start, len(correlations)):
        errors[token] = one_token.gradient(
            correlations[token], room.now, gram, n_atoms, len(indices), UNIT_ENERGY, NEVER, mask, limits, room.lanes,
            room.kept, indices, coefficients,
        )  # fmt: skip
        if errors[token] > threshold:
            return token
    return len(correlations)


NEXT_BADLY_EXPLAINED = {"mp": _next_by_mp, "omp": _next_by_omp, "gp": _next_by_gp}


@compiled(fastmath=True)
def _dot(a, b):
    total = 0.0
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


@compiled()
def _extend(atoms, gram, newest):
    for i in range(newest + 1):
        gram[i, newest] = gram[newest, i] = np.float32(_dot(atoms[i], atoms[newest]))


@compiled()
def fill_gram(atoms, gram, count):
    """The Gram matrix (capacity, capacity) of the first `count` atoms, to the bit as `enter` leaves it."""
    for newest in range(count):
        _extend(atoms, gram, newest)


@compiled()
def enter(x, token, correlations, gram, atoms, count):
    """Makes x[token] the atom number `count`.

    x: (n_tokens, d_model) float64; correlations: (n_tokens, capacity) float32, whose column is filled for later tokens;
    gram: (capacity, capacity) float32 and atoms: (capacity, d_model) float64 take it in.
    """
    atoms[count] = x[token]
    _extend(atoms, gram, count)
    for later in range(token + 1, x.shape[0]):
        correlations[later, count] = np.float32(_dot(x[later], x[token]))


def padded(count: int, capacity: int) -> int:
    """How many columns to search: whole units, which are quicker; those without an atom are zero and never chosen."""
    return min(capacity, -(-count // UNIT) * UNIT)
