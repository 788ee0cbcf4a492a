"""Directions replaced by real activations, or by means of a few."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from itda_core.pursuit.chunks import exact_products

LEAST_GAIN = 1e-4  # of the cosine: a member that brings less is left out
ENTRIES = 2**25  # of a matrix held at once


class Means(NamedTuple):
    """One atom per direction, and which activations it is the mean of."""

    atoms: Tensor  # (n_atoms, d_model) unit norm
    members: Tensor  # (n_atoms, most) int64 rows of the activations, in the order in which they were taken; -1: none


def means_along(directions: Tensor, x: Tensor, most: int, candidates: int) -> Means:
    """For each direction, at most `most` of the activations, chosen so that their normalised mean comes near to it.

    directions: (n_atoms, d_model) and x: (n_tokens, d_model), unit norm. Considered are the `candidates` activations
    that are nearest to a direction: first the nearest one, then, one after the other, the one with which the mean comes
    nearest, as long as that gains LEAST_GAIN of the cosine. No activation is first for two directions: the
    direction it is nearest to has it, the other the next best. (With more directions than activations, some are.)
    """
    count, candidates = len(directions), min(candidates, len(x))
    step = max(1, ENTRIES // max(1, len(x)))
    near = [_nearest(directions[start : start + step], x, candidates) for start in range(0, count, step)]
    cosines = torch.cat([part[0] for part in near])
    rows = torch.cat([part[1] for part in near])
    first = _first_members(cosines.cpu(), rows.cpu()).to(rows.device)
    step = max(1, ENTRIES // max(1, candidates * x.shape[1]))
    parts = [
        _joined(cosines[start : start + step], rows[start : start + step], first[start : start + step], x, most)
        for start in range(0, count, step)
    ]
    return Means(torch.cat([part.atoms for part in parts]), torch.cat([part.members for part in parts]))


def _nearest(directions: Tensor, x: Tensor, candidates: int) -> tuple[Tensor, Tensor]:
    """Cosines and rows (n_directions, candidates) of the nearest activations, nearest first."""
    with exact_products():
        found = (directions @ x.T).topk(candidates, dim=1)
    return found.values, found.indices


def _first_members(cosines: Tensor, rows: Tensor) -> Tensor:
    """Which candidate (n_directions,) each direction begins with."""
    first = torch.zeros(len(rows), dtype=torch.int64)
    taken: set[int] = set()
    listed = rows.tolist()
    for direction in torch.argsort(cosines[:, 0], descending=True, stable=True).tolist():
        free = next((i for i, row in enumerate(listed[direction]) if row not in taken), 0)
        first[direction] = free
        taken.add(listed[direction][free])
    return first


def _joined(cosines: Tensor, rows: Tensor, first: Tensor, x: Tensor, most: int) -> Means:
    """The means along some directions; cosines, rows: (n_directions, candidates), first: (n_directions,)."""
    members = torch.full((len(rows), most), -1, dtype=torch.int64, device=rows.device)
    members[:, :1] = rows.gather(1, first[:, None])
    total = x[members[:, 0]]  # of the members so far
    if most == 1:
        return Means(total, members)
    near = x[rows]  # (n_directions, candidates, d_model)
    taken = torch.zeros_like(rows, dtype=torch.bool).scatter_(1, first[:, None], True)
    along = cosines.gather(1, first[:, None])[:, 0]  # <direction, total>
    best = along.clone()  # the cosine reached
    growing = torch.ones_like(best, dtype=torch.bool)
    for slot in range(1, most):
        energy = total.square().sum(dim=1)
        with exact_products():
            shared = torch.bmm(near, total[:, :, None])[:, :, 0]
        length = (energy[:, None] + 2 * shared + 1).clamp_min(1e-12).sqrt()
        reached, candidate = ((along[:, None] + cosines) / length).masked_fill(taken, -2).max(dim=1)
        growing &= reached > best + LEAST_GAIN
        at = growing.nonzero()[:, 0]
        if len(at) == 0:
            break
        chosen = candidate[at]
        members[at, slot] = rows[at, chosen]
        total[at] += near[at, chosen]
        along[at] += cosines[at, chosen]
        best[at] = reached[at]
        taken[at, chosen] = True
    return Means(total / torch.linalg.vector_norm(total, dim=1, keepdim=True).clamp_min(1e-12), members)
