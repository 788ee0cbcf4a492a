"""The atoms of a dictionary that point the way of one atom, and those that point against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from itda_core.errors import UserError

if TYPE_CHECKING:
    import torch

NEIGHBOURS = 10  # of each sort


@dataclass(frozen=True)
class Neighbour:
    """Another atom, and its cosine with the one that was asked about, -1 to 1."""

    atom: int
    cosine: float


@dataclass(frozen=True)
class Neighbours:
    """The keys of `itda atoms show --json`. Each list may be shorter than asked for, and empty."""

    neighbours: tuple[Neighbour, ...]  # cosine above 0, the largest first
    opposite: tuple[Neighbour, ...]  # cosine below 0, the smallest first


def neighbours(atoms: torch.Tensor, atom: int, n: int = NEIGHBOURS) -> Neighbours:
    """The `n` atoms nearest to `atom` by cosine, and the `n` most opposite; of equal ones those that came first.

    atoms: (n_atoms, d_model) of unit norm. One product with the atom is computed, never all pairs. Raises UserError
    when there is no such atom.
    """
    import torch

    if not 0 <= atom < len(atoms):
        raise UserError(f"There is no atom {atom}; this dictionary has atoms 0 to {len(atoms) - 1}.")
    cosines = (atoms @ atoms[atom]).clamp(-1, 1)
    cosines[atom] = 0  # neither near itself nor opposite

    def first(values: torch.Tensor) -> tuple[Neighbour, ...]:
        least = values.topk(min(n, len(values))).values[-1:]  # among equal ones topk chooses as it likes
        likely = (values >= least).nonzero()[:, 0]
        order = likely[torch.argsort(values[likely], descending=True, stable=True)[:n]]
        found = zip(order.tolist(), values[order].tolist(), cosines[order].tolist(), strict=True)
        return tuple(Neighbour(other, cosine) for other, value, cosine in found if value > 0)

    return Neighbours(first(cosines), first(-cosines))
