"""How the CUDA kernels choose an atom: the strongest correlation, and among equals the lowest index.

The atoms of a token are looked at in blocks of COLUMNS. A pass over all of them keeps the maximum of each block, and
only the first block that reaches the overall maximum is looked at again for the index.
"""

# Triton's annotations describe its compiler's values, not the plain ones that its language takes.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

import torch
import triton
import triton.language as tl

from itda_core.pursuit.precision import DOUBT

UNIT = tl.constexpr(DOUBT * torch.finfo(torch.float32).eps)  # how doubt grows with each weight; precision.doubt_of
NO_ATOM = tl.constexpr(2**63 - 1)  # sorts after every atom

COLUMNS = 128  # atoms of a block: one warp reads them by 16 bytes a thread, and finds their maximum by itself
MOST_ROWS = 64  # blocks taken together

LAUNCH = {"enable_fp_fusion": True}  # for every kernel; outright, because Triton's default for it is not to last


def tile_of(n_atoms: int) -> dict[str, int]:
    """The compile-time sizes of a pass over `n_atoms` atoms (ROWS blocks at a time), and the warps that make it."""
    n_blocks = triton.next_power_of_2(triton.cdiv(n_atoms, COLUMNS))
    rows = min(MOST_ROWS, n_blocks)
    # 32 atoms per thread and pass: enough reads under way to hide the memory's latency.
    return {"ROWS": rows, "COLUMNS": COLUMNS, "N_BLOCKS": n_blocks, "num_warps": max(1, rows * COLUMNS // 1024)}


@triton.jit
def strength_of(correlations, SIGNED: tl.constexpr):
    """What is compared: |correlation|, or what is positive of it."""
    return tl.abs(correlations) if SIGNED else tl.maximum(correlations, 0.0)


@triton.jit
def lowest(correlations, atoms, enough, SIGNED: tl.constexpr, axis: tl.constexpr = 0):
    """Along `axis` the lowest atom whose strength reaches `enough` (int64), and its correlation.

    Index and correlation travel as one integer, so that a single reduction across the warps finds both.
    """
    bits = correlations.to(tl.uint32, bitcast=True).to(tl.int64)
    reached = strength_of(correlations, SIGNED) >= enough
    first = tl.min(tl.where(reached, (atoms.to(tl.int64) << 32) | bits, NO_ATOM), axis=axis)
    return first >> 32, (first & 0xFFFFFFFF).to(tl.uint32).to(tl.float32, bitcast=True)


@triton.jit
def strongest_on_chip(correlations, atoms, doubt, SIGNED: tl.constexpr):
    """The strongest of correlations that are on chip: its atom (int64) and its value, both scalars."""
    return lowest(correlations, atoms, tl.max(strength_of(correlations, SIGNED)) - doubt, SIGNED)


@triton.jit
def tile(start, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """The atoms of ROWS blocks from atom `start` on: (ROWS, COLUMNS)."""
    return start + (tl.arange(0, ROWS) * COLUMNS)[:, None] + tl.arange(0, COLUMNS)[None, :]


@triton.jit
def keep_maxima(maxima, start, correlations, n_atoms, SIGNED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Write the maximum of each block of a tile to its place in maxima (ceil(n_atoms / COLUMNS),)."""
    blocks = start // COLUMNS + tl.arange(0, ROWS)
    tl.store(maxima + blocks, tl.max(strength_of(correlations, SIGNED), axis=1), mask=blocks * COLUMNS < n_atoms)


@triton.jit
def strongest_block(maxima, n_atoms, doubt, COLUMNS: tl.constexpr, N_BLOCKS: tl.constexpr):
    """The first atom of the first block that reaches the overall maximum, and the strength that reaches it."""
    blocks = tl.arange(0, N_BLOCKS)
    strengths = tl.load(maxima + blocks, mask=blocks * COLUMNS < n_atoms, other=0.0)
    enough = tl.max(strengths) - doubt
    return tl.min(tl.where(strengths >= enough, blocks, N_BLOCKS)) * COLUMNS, enough
