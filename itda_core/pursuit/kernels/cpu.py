"""Matching pursuit compiled for the CPU (Numba): one token at a time, its correlations staying in the cache."""

from __future__ import annotations

import numpy as np
from numba import njit

from itda_core.pursuit.forms import NOISE, TIE

_EPS = float(np.finfo(np.float32).eps)
_NEARLY = np.float32(1 - TIE * _EPS)
_NOISE = np.float32(NOISE * _EPS)

# Maxima may be taken in any order; sums and products keep theirs, so that results are those of the plain pursuit.
ORDERLESS = {"nnan", "nsz"}


@njit("f8(f4[::1], f4[:, ::1], i8, i8, i8[::1], f4[::1])", nogil=True, cache=True, fastmath=ORDERLESS)
def pursue(correlations, gram, n_atoms, k, indices, coefficients):
    """Matching pursuit of one activation of unit norm by the Gram matrix (Mallat and Zhang 1993, section III).

    correlations: (>= n_atoms,) float32, <x, atom>, overwritten by those of the residual; gram: (>= n_atoms,
    >= n_atoms) float32, atoms @ atoms.T; indices (k,) int64 and coefficients (k,) float32: filled in step order, zeros
    where a step would only fit rounding. Equal correlations (up to rounding) go to the lower index.
    Returns the relative squared error.
    """
    remaining = 1.0
    strongest = np.float32(0)
    for i in range(n_atoms):
        strength = abs(correlations[i])
        if strength > strongest:
            strongest = strength
    for step in range(k):
        if strongest <= _NOISE:
            indices[step:k] = 0
            coefficients[step:k] = 0
            break
        enough = strongest * _NEARLY
        atom = 0
        while abs(correlations[atom]) < enough:
            atom += 1
        value = correlations[atom]
        indices[step], coefficients[step] = atom, value
        remaining -= float(value) * float(value)
        if step + 1 < k:
            row = gram[atom]
            strongest = np.float32(0)
            for i in range(n_atoms):
                left = correlations[i] - value * row[i]
                correlations[i] = left
                strength = abs(left)
                if strength > strongest:
                    strongest = strength
    return max(remaining, 0.0)
