"""The atom of each step of a pursuit, those among them that left the sum again later.

A code's slots are in the order of the steps, and a slot is empty where its atom left again, or where gradient pursuit
only refined atoms that it had: which atom the step took is found by pursuing that far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from itda_core.dictionaries import AtomDictionary
    from itda_core.pursuit import SparseCode


def taken(
    dictionary: AtomDictionary, x: torch.Tensor, code: SparseCode, method: str, *, non_negative: bool
) -> list[tuple[int, ...]]:
    """Per token of `x` (n_tokens, d_model) the atoms that its pursuit took, up to the last one that stayed.

    code: what `method` makes of `x`.
    """
    used = [[bool(one) for one in row] for row in code.coefficients.tolist()]
    atoms = [row[: _last(slots)] for row, slots in zip(code.indices.tolist(), used, strict=True)]
    for step in range(max(map(len, atoms), default=0)):
        rows = [i for i, row in enumerate(atoms) if step < len(row) and not used[i][step]]
        if rows:
            found = _step(dictionary, x[rows], step + 1, method, non_negative)
            for row, atom in zip(rows, found, strict=True):
                atoms[row][step] = atom
    return list(map(tuple, atoms))


def strongest(dictionary: AtomDictionary, left: torch.Tensor, *, non_negative: bool) -> list[int]:
    """The atoms that a pursuit takes next where `left` (n_tokens, d_model) is not explained yet."""
    strength = left @ dictionary.atoms.T
    return (strength if non_negative else strength.abs()).argmax(dim=1).tolist()


def _last(slots: list[bool]) -> int:
    """How many slots there are up to the last one that is used."""
    return max((i + 1 for i, one in enumerate(slots) if one), default=0)


def _step(dictionary: AtomDictionary, x: torch.Tensor, step: int, method: str, non_negative: bool) -> list[int]:
    """The atom that each token's pursuit takes at its `step`, counted from 1."""
    now = dictionary.encode(x, k=step, method=method, non_negative=non_negative)
    before = dictionary.mean.expand_as(x)
    if step > 1:
        before = dictionary.decode(dictionary.encode(x, k=step - 1, method=method, non_negative=non_negative))
    chosen = strongest(dictionary, x - before, non_negative=non_negative)
    slots = zip(now.indices[:, -1].tolist(), now.coefficients[:, -1].tolist(), chosen, strict=True)
    return [atom if coefficient else again for atom, coefficient, again in slots]
