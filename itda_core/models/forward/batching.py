"""Which windows may share a forward pass, so that a batch gives what each of its windows gives alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import torch

Groups = list[list[int]]  # places in a sequence of windows: each group is one forward pass


class Batching(StrEnum):
    """How a model reads several windows."""

    TOGETHER = "together"  # side by side, shorter ones padded: what padding holds, and who stands beside, is not read
    EQUAL = "equal"  # only those of one length: what stands right of a text would be read, whatever the mask says
    ALONE = "alone"  # each by itself: a window would change what is computed for another
    UNSTEADY = "unsteady"  # each by itself, and even so one window is not read twice alike: the model draws at random


def grouped(lengths: Sequence[int], batching: Batching) -> Groups:
    """The windows of these `lengths` in groups that share a forward pass, each group in order."""
    if batching is Batching.TOGETHER:
        return [list(range(len(lengths)))]
    if batching in (Batching.ALONE, Batching.UNSTEADY):
        return [[place] for place in range(len(lengths))]
    of_length: dict[int, list[int]] = {}
    for place, length in enumerate(lengths):
        of_length.setdefault(length, []).append(place)
    return list(of_length.values())


def in_order(groups: Groups, parts: Sequence[torch.Tensor], counts: Sequence[int]) -> torch.Tensor:
    """What the groups gave, window after window.

    parts: of each group (rows of its windows, ...); counts: rows of each window. Returns (all rows, ...).
    """
    if len(groups) == 1:
        return parts[0]
    pieces: dict[int, torch.Tensor] = {}
    for group, part in zip(groups, parts, strict=True):
        pieces.update(zip(group, part.split([counts[place] for place in group]), strict=True))
    return torch.cat([pieces[place] for place in range(len(counts))])


def taken(groups: Groups, rows: torch.Tensor, counts: Sequence[int]) -> list[torch.Tensor]:
    """The inverse of in_order: `rows` (all rows, ...), window after window, as each group needs them."""
    if len(groups) == 1:
        return [rows]
    pieces = rows.split(list(counts))
    return [torch.cat([pieces[place] for place in group]) for group in groups]


def tolerance(dtype: torch.dtype) -> float:
    """How far, relative to its norm, an activation may be from itself computed in another shape.

    Half of the digits that `dtype` has: sums in another order change the last few, layer by layer; what is above is no
    rounding. 3e-4 in float32.
    """
    return math.sqrt(torch.finfo(dtype).eps)


def same(one: torch.Tensor, other: torch.Tensor, limit: float) -> bool:
    """Whether activations (tokens, width) are the same up to `limit`, of each token's norm; see `apart`."""
    return apart(one, other, limit) == 0


def apart(one: torch.Tensor, other: torch.Tensor, limit: float) -> float:
    """Of which share of the tokens activations (tokens, width) differ by more than `limit` of the token's norm.

    Tokens whose activation in `one` is not finite are not compared. A norm near to zero counts as `limit` of the mean.
    """
    if one.shape != other.shape:
        return 1.0
    one, other = one.double(), other.double()
    there = one.isfinite().all(dim=-1)
    one, other = one[there], other[there]
    norms = one.norm(dim=-1)
    if not len(norms):
        return 0.0
    if not norms.any():
        return float((other != 0).any(dim=-1).double().mean())
    relative = (one - other).norm(dim=-1) / norms.clamp(min=float(norms.mean()) * limit)
    return 1.0 - float((relative <= limit).double().mean())  # NaN is apart
