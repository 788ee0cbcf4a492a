"""The pursuits by the Gram matrix on a CPU: compiled (Numba), tokens shared out among threads.

Threads are Python's own: compiled code runs without Python's lock, and any number of callers may come at once, which
Numba's built-in thread pool does not allow.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from llvmlite import binding
from torch import Tensor

from itda_core.pursuit.code import SparseCode
from itda_core.pursuit.kernels import one_token, screened
from itda_core.pursuit.kernels.compiled import compiled, config
from itda_core.pursuit.kernels.lanes import mask_of
from itda_core.pursuit.kernels.one_token import limits_of

PIECE = 16  # tokens a thread takes at once
MAGNITUDE = mask_of(np.float32, signed=True)
ALONE = 2**20  # correlations updated in all, below which a thread is not worth starting


class Room(NamedTuple):
    """What one thread needs beside its tokens. Allocated by torch, which aligns it with the lines of the cache."""

    lanes: Any  # running maxima
    now: Any  # (n_atoms,) correlations of the residual
    kept: Any  # (n_atoms * k,) Gram rows of the chosen atoms


# The same loop for each pursuit, because a compiled function that is handed another one cannot be kept on disk.
@compiled()
def _matching(correlations, gram, energy, stop, mask, limits, room, indices, coefficients, remaining):
    n_atoms, k = correlations.shape[1], indices.shape[1]
    for t in range(correlations.shape[0]):
        remaining[t] = one_token.matching(
            correlations[t], gram, n_atoms, k, energy[t], stop[t], mask, limits, room.lanes, indices[t], coefficients[t]
        )


@compiled()
def _orthogonal(correlations, gram, energy, stop, mask, limits, room, indices, coefficients, remaining):
    n_atoms, k = correlations.shape[1], indices.shape[1]
    for t in range(correlations.shape[0]):
        remaining[t] = one_token.orthogonal(
            correlations[t], room.now, gram, n_atoms, k, energy[t], stop[t], mask, limits, room.lanes, room.kept,
            indices[t], coefficients[t],
        )  # fmt: skip


@compiled()
def _non_negative_orthogonal(correlations, gram, energy, stop, mask, limits, room, indices, coefficients, remaining):
    n_atoms, k = correlations.shape[1], indices.shape[1]
    for t in range(correlations.shape[0]):
        remaining[t] = one_token.non_negative_orthogonal(
            correlations[t], room.now, gram, n_atoms, k, energy[t], stop[t], mask, limits, room.lanes, room.kept,
            indices[t], coefficients[t],
        )  # fmt: skip


@compiled()
def _gradient(correlations, gram, energy, stop, mask, limits, room, indices, coefficients, remaining):
    n_atoms, k = correlations.shape[1], indices.shape[1]
    for t in range(correlations.shape[0]):
        remaining[t] = one_token.gradient(
            correlations[t], room.now, gram, n_atoms, k, energy[t], stop[t], mask, limits, room.lanes, room.kept,
            indices[t], coefficients[t],
        )  # fmt: skip


def matching(
    correlations: Tensor, gram: Tensor, energy: Tensor, k: int, stop: Tensor, *, signed: bool = True
) -> tuple[SparseCode, Tensor]:
    """Matching pursuit of some tokens, unchecked.

    correlations: <x, atom> (n_tokens, n_atoms), float32 or float64, rows contiguous, overwritten; gram: atoms @ atoms.T
    (n_atoms, n_atoms) in the same dtype or in float16; energy: |x|^2 (n_tokens,) float64; stop: residual energy at
    which a token is done (n_tokens,) float64; signed: False for coefficients of at least zero.
    Returns the code and the residual energy (n_tokens,).
    """
    return _run(_matching, correlations, gram, energy, k, stop, signed)


def orthogonal(
    correlations: Tensor, gram: Tensor, energy: Tensor, k: int, stop: Tensor, *, signed: bool = True
) -> tuple[SparseCode, Tensor]:
    """Orthogonal matching pursuit; arguments and result as in `matching`, correlations are left as they were."""
    return _run(_orthogonal if signed else _non_negative_orthogonal, correlations, gram, energy, k, stop, signed)


def gradient(
    correlations: Tensor, gram: Tensor, energy: Tensor, k: int, stop: Tensor, *, signed: bool = True
) -> tuple[SparseCode, Tensor]:
    """Gradient pursuit; arguments and result as in `matching`, correlations are left as they were."""
    return _run(_gradient, correlations, gram, energy, k, stop, signed)


def screened_matching(
    x: Tensor, atoms: Tensor, correlations: Tensor, fixed: Tensor, energy: Tensor, k: int, stop: Tensor,
    *, signed: bool = True,
) -> tuple[SparseCode, Tensor]:  # fmt: skip
    """Matching pursuit by the Gram matrix in 16-bit fixed point, as exact as by the residual; see `screened`.

    x: (n_tokens, d_model); atoms: (n_atoms, d_model); fixed: (n_atoms, n_atoms) int16, atoms @ atoms.T in units of
    1 / precision.FIXED_ONE; the rest and the result as in `matching`.
    """
    array, limits = correlations.numpy(), limits_of(correlations.numpy().dtype)
    n_tokens, n_atoms = array.shape
    mask = mask_of(array.dtype, signed=signed)
    tokens, rows, entries, energies, stops = (value.numpy() for value in (x, atoms, fixed, energy, stop))
    indices, coefficients = np.empty((n_tokens, k), np.int64), np.empty((n_tokens, k), array.dtype)
    remaining = np.empty(n_tokens)

    def worker(pieces: Iterator[slice]) -> None:
        real = correlations.dtype
        room = screened.Screen(
            lanes=torch.empty(2, one_token.lanes_length(n_atoms), dtype=real).numpy(),
            residual=torch.empty(2, x.shape[1], dtype=real).numpy(),
            candidates=np.empty(n_atoms, np.int64),
            strengths=torch.empty(n_atoms, dtype=real).numpy(),
            known=np.empty((2, 3)),
        )
        for piece in pieces:
            screened.matching(
                tokens[piece], rows, array[piece], entries, energies[piece], stops[piece], mask, limits, room,
                indices[piece], coefficients[piece], remaining[piece],
            )  # fmt: skip

    _share_out(worker, n_tokens, n_atoms * k)
    return SparseCode(torch.from_numpy(indices), torch.from_numpy(coefficients)), torch.from_numpy(remaining)


@compiled()
def _strongest(correlations, mask, doubts, lanes, indices, values, largest):
    for t in range(correlations.shape[0]):
        indices[t], values[t], largest[t] = one_token.strongest(
            correlations[t], correlations.shape[1], mask, np.float64(doubts[t]), lanes
        )


def strongest(correlations: Tensor, doubt: Tensor, *, signed: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """Per token the atom of the largest |correlation| (of the largest, where not `signed`), that correlation, and the
    largest there is; see forms.strongest_and_largest.

    correlations: (n_tokens, n_atoms) float32 or float64, rows contiguous; doubt: (n_tokens,), correlations that differ
    by no more go to the lower index. Returns (n_tokens,) each.
    """
    array, doubts = correlations.numpy(), doubt.numpy()
    indices, values, largest = np.empty(len(array), np.int64), np.empty_like(doubts), np.empty_like(doubts)
    mask = mask_of(array.dtype, signed=signed)

    def worker(pieces: Iterator[slice]) -> None:
        room = room_for(array.shape[1], 0, correlations.dtype)
        for piece in pieces:
            _strongest(array[piece], mask, doubts[piece], room.lanes, indices[piece], values[piece], largest[piece])

    _share_out(worker, len(array), array.shape[1])
    return torch.from_numpy(indices), torch.from_numpy(values), torch.from_numpy(largest)


def room_for(n_atoms: int, k: int, dtype: torch.dtype) -> Room:
    """Room for pursuits of k steps over n_atoms atoms; k = 0 where chosen rows need not be kept."""
    lengths = (one_token.lanes_length(n_atoms), n_atoms if k else 0, n_atoms * k)
    return Room(*(torch.empty(length, dtype=dtype).numpy() for length in lengths))


@cache
def converts_halves() -> bool:
    """Whether the processor that is compiled for turns half floats into floats by itself.

    An x86-64 processor without F16C (one before 2012, or a virtual one of that kind) would need a function for it that
    compiled code has not, and the whole process would end.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    chosen = config.CPU_FEATURES  # what Numba was told to compile for, if anything
    return "+f16c" in (binding.get_host_cpu_features().flatten() if chosen is None else chosen).split(",")


def _run(
    compiled_pursuit: Any, correlations: Tensor, gram: Tensor, energy: Tensor, k: int, stop: Tensor, signed: bool
) -> tuple[SparseCode, Tensor]:
    if gram.dtype == torch.float16 and not converts_halves():
        gram = gram.to(correlations.dtype)
    array, rows = correlations.numpy(), gram.numpy()
    rows = rows.view(np.uint16) if rows.dtype == np.float16 else rows
    n_tokens, n_atoms = array.shape
    mask, limits = mask_of(array.dtype, signed=signed), limits_of(array.dtype)
    indices, coefficients = np.empty((n_tokens, k), np.int64), np.empty((n_tokens, k), array.dtype)
    remaining, energies, stops = np.empty(n_tokens), energy.numpy(), stop.numpy()

    def worker(pieces: Iterator[slice]) -> None:
        room = room_for(n_atoms, 0 if compiled_pursuit is _matching else k, correlations.dtype)
        for piece in pieces:
            compiled_pursuit(
                array[piece], rows, energies[piece], stops[piece], mask, limits, room,
                indices[piece], coefficients[piece], remaining[piece],
            )  # fmt: skip

    _share_out(worker, n_tokens, n_atoms * k)
    return SparseCode(torch.from_numpy(indices), torch.from_numpy(coefficients)), torch.from_numpy(remaining)


def _share_out(worker: Callable[[Iterator[slice]], None], n_tokens: int, work: int) -> None:
    """Has threads take pieces of the tokens until none is left; `work`: correlations touched per token."""
    threads = min(torch.get_num_threads(), -(-n_tokens // PIECE), -(-n_tokens * work // ALONE))
    # A list's iterator is safe to share: each `next` is one step of the interpreter.
    pieces = iter([slice(start, start + PIECE) for start in range(0, n_tokens, PIECE)])
    if threads <= 1:
        worker(pieces)
        return
    with ThreadPoolExecutor(threads - 1, thread_name_prefix="itda-pursuit") as pool:
        others = [pool.submit(worker, pieces) for _ in range(threads - 1)]
        worker(pieces)
        for other in others:
            other.result()
