"""Atoms changed at a site: x' = x + sum_j (c'_j - c_j) atom_j; what the dictionary does not explain is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from itda_core.analysis.interventions.change import Change, ChangedToken
from itda_core.analysis.interventions.coded import coded

if TYPE_CHECKING:
    from itda_core.analysis.interventions.coded import Coded
    from itda_core.dictionaries import AtomDictionary

LARGE = 0.5  # of the activation's norm; models usually break beyond (see `Shifted.large`)


@dataclass(frozen=True)
class Shifted:
    """What all changes together do to some activations."""

    shift: torch.Tensor  # (n_tokens, d_model) float32: what is added
    shift_without_error: torch.Tensor  # the same and the error dropped: reconstruction alone takes x's place
    tokens: tuple[ChangedToken, ...]
    large: int  # tokens whose activation is changed by more than LARGE of its norm


def shifted(
    dictionary: AtomDictionary,
    x: torch.Tensor,
    special: Sequence[bool],
    where: Sequence[bool],
    changes: Sequence[Change],
    *,
    include_special: bool = False,
    k: int | None = None,
    method: str | None = None,
    non_negative: bool = False,
) -> Shifted:
    """What `changes` do to activations x (n_tokens, d_model) at the tokens `where`.

    special: which tokens are special; these, and attention sinks, are left alone unless `include_special`, which
    changes them as well and gives them no atoms of their own. Changes of one atom follow each other. Raises UserError
    as Change.check.
    """
    for change in changes:
        change.check(dictionary)
    code = coded(dictionary, x, special, k, method, non_negative=non_negative)
    return shifted_code(dictionary, code, where, changes, include_special=include_special)


def shifted_code(
    dictionary: AtomDictionary,
    code: Coded,
    where: Sequence[bool],
    changes: Sequence[Change],
    *,
    include_special: bool = False,
) -> Shifted:
    """`shifted` for activations whose parts are known; changes that were checked."""
    applies = torch.tensor(where, dtype=torch.bool, device=code.x.device)
    if not include_special:
        applies = applies & ~code.left_out
    norms = (code.x - code.mean).norm(dim=1)
    shift, changed = torch.zeros_like(code.x), list[ChangedToken]()
    for atom in dict.fromkeys(change.atom for change in changes):
        own = [change for change in changes if change.atom == atom]
        largest = next((change.largest for change in own if change.largest is not None), None)
        before = after = _coefficients(code, atom)
        for change in own:
            after = change.coefficients(after, norms)
        after = torch.where(applies, after, before)
        shift += (after - before)[:, None] * dictionary.atoms[atom].double()
        rows = zip(*(part.tolist() for part in (applies, before, after, norms)), strict=True)
        changed += [
            ChangedToken(token, atom, was, becomes, norm, largest)
            for token, (chosen, was, becomes, norm) in enumerate(rows)
            if chosen
        ]
    kept = torch.where((applies & ~code.left_out)[:, None], code.error, torch.zeros_like(code.error))
    large = int((shift.norm(dim=1) > LARGE * norms).sum())
    return Shifted(shift.float(), (shift - kept).float(), tuple(changed), large)


def _coefficients(code: Coded, atom: int) -> torch.Tensor:
    """Of `atom` at each token (n_tokens,), 0 where it is not used."""
    return code.coefficients.masked_fill(code.atoms != atom, 0.0).sum(dim=1)
