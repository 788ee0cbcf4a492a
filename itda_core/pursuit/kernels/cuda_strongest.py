"""Correlate and maximise in one kernel (CUDA, Triton), for dictionaries whose Gram matrix does not fit."""

# Triton's annotations describe its compiler's values, not the plain ones that its language takes.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from itda_core.pursuit.kernels.cuda_choice import LAUNCH, NEARLY, lowest, strength_of

TILE = {"TOKENS": 64, "ATOMS": 128, "DEPTH": 16, "num_warps": 8}


def strongest(residual: Tensor, atoms: Tensor, *, signed: bool = True) -> tuple[Tensor, Tensor]:
    """Per token the atom most correlated with the residual, and that correlation; unchecked.

    residual: (n_tokens, d_model) float32; atoms: (n_atoms, d_model) float32, float16 or bfloat16; both contiguous
    within rows. Products are accumulated in float32, never in TF32. Equal up to rounding: the lower index.
    signed=False: the largest correlation; where none is above zero, atom 0 and zero.
    Returns (n_tokens,) int64 and (n_tokens,) float32. Holds no (n_tokens, n_atoms) tensor, only one candidate for each
    token and each tile of atoms.
    """
    n_tokens, d_model = residual.shape
    n_atoms = atoms.shape[0]
    n_tiles = triton.cdiv(n_atoms, TILE["ATOMS"])
    best = torch.empty(n_tokens, n_tiles, device=residual.device)
    values = torch.empty_like(best)
    candidates = torch.empty(n_tokens, n_tiles, dtype=torch.int32, device=residual.device)
    if n_tokens == 0:
        return candidates.new_empty(0, dtype=torch.int64), values.new_empty(0)
    grid = (triton.cdiv(n_tokens, TILE["TOKENS"]), n_tiles)
    with torch.cuda.device_of(residual):
        _best_of_tiles[grid](
            residual, atoms, best, values, candidates,
            n_tokens, n_atoms, d_model, residual.stride(0), atoms.stride(0), signed, **TILE, **LAUNCH,
        )  # fmt: skip
    if not signed:
        values.clamp_(min=0)
    # The first tile whose candidate ties with the overall maximum (a candidate may lie below the maximum of its tile).
    strength = values.abs()
    enough = best.amax(dim=1, keepdim=True) * NEARLY.value
    places = torch.arange(n_tiles, dtype=torch.int32, device=residual.device)
    tile = torch.where(strength >= enough, places, n_tiles - 1).amin(dim=1, keepdim=True).long()
    return candidates.gather(1, tile)[:, 0].long(), values.gather(1, tile)[:, 0]


@triton.jit
def _best_of_tiles(
    residual, atoms, best, values, candidates,
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
    index, value = lowest(correlations, rows[None, :], (strength * NEARLY)[:, None], SIGNED, axis=1)
    places = tokens * tl.num_programs(1) + tile
    tl.store(best + places, strength, mask=tokens < n_tokens)
    tl.store(values + places, value, mask=tokens < n_tokens)
    tl.store(candidates + places, index.to(tl.int32), mask=tokens < n_tokens)
