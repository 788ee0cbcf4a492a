"""Matching pursuit on CUDA (Triton): one program per token, its correlations on chip where they fit."""

# Triton's annotations describe its compiler's values, not the plain ones that its language takes.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from itda_core.pursuit.code import SparseCode
from itda_core.pursuit.kernels.cuda_choice import (
    COLUMNS,
    LAUNCH,
    UNIT,
    keep_maxima,
    lowest,
    strength_of,
    strongest_block,
    strongest_on_chip,
    tile,
    tile_of,
)
from itda_core.pursuit.precision import doubt_of

ON_CHIP = 32768  # atoms whose correlations fit into the registers of one program
PER_THREAD = 32  # correlations that a thread holds
REGISTERS = 64  # of a thread: as many programs beside each other as there is room for, so that one reads as one chooses


def matching(
    correlations: Tensor, gram: Tensor, energy: Tensor, k: int, stop: Tensor, *, signed: bool = True
) -> tuple[SparseCode, Tensor]:
    """Matching pursuit by the Gram matrix (Mallat and Zhang 1993, section III), unchecked.

    correlations: <x, atom> (n_tokens, n_atoms) float32, contiguous, may be overwritten; gram: atoms @ atoms.T
    (n_atoms, n_atoms) float32, float16 or bfloat16, contiguous within rows; energy: |x|^2 (n_tokens,) float64; stop:
    the residual energy at which a token is done (n_tokens,) float64, -inf for never. signed=False: coefficients are
    positive. Returns the code (coefficients float32) and the residual energy (n_tokens,) float64.
    """
    n_tokens, n_atoms = correlations.shape
    indices = torch.zeros(n_tokens, k, dtype=torch.int64, device=correlations.device)
    coefficients = torch.zeros(n_tokens, k, dtype=torch.float32, device=correlations.device)
    remaining = energy.clone()
    if n_tokens == 0 or k == 0:
        return SparseCode(indices, coefficients), remaining.clamp_(min=0)
    tokens = (remaining, doubt_of(energy, torch.float32), stop, indices, coefficients)
    sizes = (n_atoms, gram.stride(0), k, signed)
    with torch.cuda.device_of(correlations):
        if n_atoms <= ON_CHIP:
            block = triton.next_power_of_2(n_atoms)
            warps = max(1, block // (32 * PER_THREAD))
            _on_chip[(n_tokens,)](
                correlations, gram, *tokens, *sizes, BLOCK=block, num_warps=warps, maxnreg=REGISTERS, **LAUNCH
            )
        else:
            maxima = torch.empty(n_tokens, triton.cdiv(n_atoms, COLUMNS), device=correlations.device)
            _in_memory[(n_tokens,)](
                correlations, gram, *tokens, maxima, *sizes, maxnreg=REGISTERS, **tile_of(n_atoms), **LAUNCH
            )
    return SparseCode(indices, coefficients), remaining.clamp_(min=0)


@triton.jit
def _on_chip(
    correlations, gram, remaining, doubt, stop, indices, coefficients,
    n_atoms, gram_stride, k,
    SIGNED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    atoms = tl.arange(0, BLOCK)
    inside = atoms < n_atoms
    left = tl.load(correlations + token * n_atoms + atoms, mask=inside, other=0.0)
    energy, doubtful, done = tl.load(remaining + token), tl.load(doubt + token), tl.load(stop + token)
    index, value = strongest_on_chip(left, atoms, doubtful, SIGNED)
    going = (strength_of(value, SIGNED) > doubtful) & (energy > done)
    step = 0
    while going:
        tl.store(indices + token * k + step, index)
        tl.store(coefficients + token * k + step, value)
        energy -= value.to(tl.float64) * value.to(tl.float64)
        doubtful += tl.abs(value) * UNIT
        step += 1
        going = step < k
        if going:
            row = tl.load(gram + index * gram_stride + atoms, mask=inside, other=0.0)
            left -= value * row.to(tl.float32)
            index, value = strongest_on_chip(left, atoms, doubtful, SIGNED)
            going = (strength_of(value, SIGNED) > doubtful) & (energy > done)
    tl.store(remaining + token, energy)


@triton.jit
def _in_memory(
    correlations, gram, remaining, doubt, stop, indices, coefficients, maxima,
    n_atoms, gram_stride, k,
    SIGNED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, N_BLOCKS: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    correlations += token * n_atoms
    maxima += token * tl.cdiv(n_atoms, COLUMNS)
    energy, doubtful, done = tl.load(remaining + token), tl.load(doubt + token), tl.load(stop + token)
    # The first pass subtracts nothing; it only finds the maxima.
    index, value = token * 0, doubtful * 0.0
    step = 0
    going = energy > done
    while going:
        for start in range(0, n_atoms, ROWS * COLUMNS):
            atoms = tile(start, ROWS, COLUMNS)
            inside = atoms < n_atoms
            row = tl.load(gram + index * gram_stride + atoms, mask=inside, other=0.0)
            left = tl.load(correlations + atoms, mask=inside, other=0.0) - value * row.to(tl.float32)
            tl.store(correlations + atoms, left, mask=inside)
            keep_maxima(maxima, start, left, n_atoms, SIGNED, ROWS, COLUMNS)
        tl.debug_barrier()  # other threads read what was written
        start, enough = strongest_block(maxima, n_atoms, doubtful, COLUMNS, N_BLOCKS)
        atoms = start + tl.arange(0, COLUMNS)
        left = tl.load(correlations + atoms, mask=atoms < n_atoms, other=0.0)
        index, value = lowest(left, atoms, enough, SIGNED)
        tl.debug_barrier()  # all have read before the next pass writes
        going = strength_of(value, SIGNED) > doubtful
        if going:
            tl.store(indices + token * k + step, index)
            tl.store(coefficients + token * k + step, value)
            energy -= value.to(tl.float64) * value.to(tl.float64)
            doubtful += tl.abs(value) * UNIT
            step += 1
            going = (step < k) & (energy > done)
    tl.store(remaining + token, energy)
