"""Correlate and maximise in one kernel (CUDA, Triton), for dictionaries whose Gram matrix does not fit."""

# Triton's annotations describe its compiler's values, not the plain ones that its language takes.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from itda_core.pursuit.kernels.cuda_choice import LAUNCH, lowest, strength_of

TILE = {"TOKENS": 64, "ATOMS": 128, "DEPTH": 16, "num_warps": 8}


def strongest(residual: Tensor, atoms: Tensor, doubt: Tensor, *, signed: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """Per token and tile of atoms the atom most correlated with the residual, that correlation, and the largest
    strength there is in the tile; unchecked.

    residual: (n_tokens, d_model) float32; atoms: (n_atoms, d_model) float32, float16 or bfloat16; both contiguous
    within rows; doubt: (n_tokens,) float32, see forms.strongest. Products are accumulated in float32, never in TF32.
    signed=False: the largest correlation; where none is above zero, the first atom and zero.
    Returns (n_tokens, n_tiles) each, int32 and twice float32: no (n_tokens, n_atoms) tensor is held.
    """
    n_tokens, d_model = residual.shape
    n_atoms = atoms.shape[0]
    n_tiles = triton.cdiv(n_atoms, TILE["ATOMS"])
    best = torch.empty(n_tokens, n_tiles, device=residual.device)
    values = torch.empty_like(best)
    candidates = torch.empty(n_tokens, n_tiles, dtype=torch.int32, device=residual.device)
    if n_tokens > 0:
        grid = (triton.cdiv(n_tokens, TILE["TOKENS"]), n_tiles)
        with torch.cuda.device_of(residual):
            _best_of_tiles[grid](
                residual, atoms, doubt, best, values, candidates,
                n_tokens, n_atoms, d_model, residual.stride(0), atoms.stride(0), signed, **TILE, **LAUNCH,
            )  # fmt: skip
    return candidates, values if signed else values.clamp_(min=0), best


@triton.jit
def _best_of_tiles(
    residual, atoms, doubt, best, values, candidates,
    n_tokens, n_atoms, d_model, residual_stride, atom_stride,
    SIGNED: tl.constexpr, TOKENS: tl.constexpr, ATOMS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    tokens = tl.program_id(0).to(tl.int64) * TOKENS + tl.arange(0, TOKENS)
    tile = tl.program_id(1)
    rows = tile.to(tl.int64) * ATOMS + tl.arange(0, ATOMS)
    correlations = tl.zeros([TOKENS, ATOMS], tl.float32)
    for start in range(0, d_model, DEPTH):
        depth = start + tl.arange(0, DEPTH)
        inside = (tokens < n_tokens)[:, None] & (depth < d_model)[None, :]
        x = tl.load(residual + tokens[:, None] * residual_stride + depth[None, :], mask=inside, other=0.0)
        inside = (depth < d_model)[:, None] & (rows < n_atoms)[None, :]
        y = tl.load(atoms + rows[None, :] * atom_stride + depth[:, None], mask=inside, other=0.0).to(tl.float32)
        correlations = tl.dot(x, y, correlations, input_precision="ieee")
    strength = tl.max(strength_of(correlations, SIGNED), axis=1)
    doubtful = tl.load(doubt + tokens, mask=tokens < n_tokens, other=0.0)
    index, value = lowest(correlations, rows[None, :], (strength - doubtful)[:, None], SIGNED, axis=1)
    places = tokens * tl.num_programs(1) + tile
    tl.store(best + places, strength, mask=tokens < n_tokens)
    tl.store(values + places, value, mask=tokens < n_tokens)
    tl.store(candidates + places, index.to(tl.int32), mask=tokens < n_tokens)
