"""Sequential selection by matching pursuit, compiled for the CPU: each activation judged in its turn."""

from __future__ import annotations

import numpy as np
from numba import njit

from itda_core.pursuit.kernels.cpu import pursue


@njit("f8(f8[::1], f8[::1])", nogil=True, cache=True, fastmath=True)
def _dot(a, b):
    total = 0.0
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


@njit("void(f8[:, ::1], f4[:, ::1], i8)", nogil=True, cache=True)
def _extend(atoms, gram, newest):
    for i in range(newest + 1):
        gram[i, newest] = gram[newest, i] = np.float32(_dot(atoms[i], atoms[newest]))


@njit("void(f8[:, ::1], f4[:, ::1], i8)", nogil=True, cache=True)
def fill_gram(atoms, gram, count):
    """The Gram matrix (capacity, capacity) of the first `count` atoms, to the bit as `judge_rows` leaves it."""
    for newest in range(count):
        _extend(atoms, gram, newest)


@njit(
    "UniTuple(i8, 2)(f8[:, ::1], f4[:, ::1], f4[:, ::1], f8[:, ::1], i8, i8, i8, f8, f8[::1], i8[::1])",
    nogil=True,
    cache=True,
)
def judge_rows(x, correlations, gram, atoms, count, most, k, threshold, errors, entered):
    """Judges unit vectors x one after the other; whoever is reconstructed worse than `threshold` becomes an atom.

    x: (n_tokens, d_model) float64; correlations: (n_tokens, capacity) float32, with the `count` atoms there are, the
    columns of new ones are filled here; gram (capacity, capacity) float32 and atoms (capacity, d_model) float64: new
    atoms are written into them, there is room for n_tokens; most: the number of atoms at which to stop.
    Fills errors (n_tokens,) float64 and entered (n_tokens,) int64 with the rows that became atoms.
    Returns how many rows were judged and how many entered.
    """
    n_tokens = x.shape[0]
    indices, coefficients = np.empty(k, np.int64), np.empty(k, np.float32)
    n_entered = 0
    for token in range(n_tokens):
        steps = min(k, count)
        errors[token] = pursue(correlations[token], gram, count, steps, indices, coefficients) if steps else 1.0
        if errors[token] <= threshold:
            continue
        atom = x[token]
        atoms[count] = atom
        _extend(atoms, gram, count)
        for later in range(token + 1, n_tokens):
            correlations[later, count] = np.float32(_dot(x[later], atom))
        count += 1
        entered[n_entered] = token
        n_entered += 1
        if count == most:
            return token + 1, n_entered
    return n_tokens, n_entered
