"""The directions from which learning begins: activations drawn where the unexplained mass is."""

from __future__ import annotations

import torch
from torch import Tensor

from itda_core.dictionaries.choosing.prefix_hash import draw, uniforms
from itda_core.pursuit import matching_pursuit
from itda_core.pursuit.chunks import exact_products
from itda_core.pursuit.code import weighted_rows

REDUNDANT = 1e-6  # relative squared error below which an activation has nothing to add to a dictionary
BLOCK = 8192  # activations looked at together, of those that may lie on disk
_ENTRIES = 2**23  # of a matrix held at once


class TooFewActivations(Exception):
    """There are not as many different activations as atoms were wanted; `found` are."""

    def __init__(self, found: int) -> None:
        super().__init__(found)
        self.found = found


def draw_round(
    x: Tensor, unit: Tensor, energy: Tensor, chances: Tensor, directions: Tensor, taken: Tensor, wanted: int, k: int
) -> tuple[Tensor, float]:
    """Rows (n_drawn,) int64 of at most `wanted` activations that differ, drawn with probability proportional to the
    energy that matching pursuit with `directions` (n_directions, d_model) leaves of them, and that energy in all.

    x, unit: (n_tokens, d_model), unit norm the latter; energy, chances: (n_tokens,), |x|^2 and uniform numbers; taken:
    rows that are not to be drawn.
    """
    missing = _missing(x, directions, k)
    weights = torch.where(missing < REDUNDANT * energy, 0, missing)
    weights[taken] = 0
    rows = draw(weights, chances, wanted).to(x.device)
    return _different(rows, unit), float(missing.sum())


def all_drawn(
    directions: Tensor, x: Tensor, unit: Tensor, energy: Tensor, numbers: Tensor, n_atoms: int, k: int, turn: int
) -> Tensor:
    """Draws go on until there are n_atoms directions (rounds give fewer where many activations are the same); turn: the
    first whose uniform numbers nobody else uses. Raises TooFewActivations.
    """
    nothing = torch.zeros(0, dtype=torch.int64, device=x.device)
    while len(directions) < n_atoms:
        chances, wanted = uniforms(numbers, turn), n_atoms - len(directions)
        rows, _ = draw_round(x, unit, energy, chances, directions, nothing, wanted, k)
        if len(rows) == 0:
            raise TooFewActivations(len(directions))
        directions = torch.cat([directions, unit[rows]])
        turn += 1
    return directions


def energy_of(x: Tensor) -> Tensor:
    """|x|^2 (n_tokens,) of activations x (n_tokens, d_model)."""
    return torch.cat([block.square().sum(dim=1) for block in x.split(BLOCK)])


def _missing(x: Tensor, directions: Tensor, k: int) -> Tensor:
    """Energy (n_tokens,) of the activations that matching pursuit leaves."""
    if len(directions) == 0:
        return energy_of(x)
    code = matching_pursuit(x, directions, min(k, len(directions)))
    blocks = zip(x.split(BLOCK), code.indices.split(BLOCK), code.coefficients.split(BLOCK), strict=True)
    return torch.cat([(part - weighted_rows(at, directions, c)).square().sum(dim=1) for part, at, c in blocks])


def _different(rows: Tensor, unit: Tensor) -> Tensor:
    """`rows` of the unit activations without those that are the same direction as an earlier one of them."""
    if len(rows) == 0:
        return rows
    chosen = unit[rows]
    keep = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
    step = max(1, _ENTRIES // len(rows))
    with exact_products():
        for start in range(0, len(rows), step):
            same = (chosen[start : start + step] @ chosen.T).abs() > 1 - REDUNDANT / 2
            keep[start : start + step] = ~same.tril(diagonal=start - 1).any(dim=1)
    return rows[keep]
