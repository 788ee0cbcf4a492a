"""Atoms changed at a site: x' = x + sum_j (c'_j - c_j) atom_j; what the dictionary does not explain is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from itda_core.analysis.interventions.coded import coded
from itda_core.errors import UserError

if TYPE_CHECKING:
    from itda_core.analysis.interventions.coded import Coded
    from itda_core.dictionaries import AtomDictionary

LARGE = 0.5  # of the activation's norm; models usually break beyond (see `Shifted.large`)
MOST_STRENGTH = 1e6

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "own": "times the atom's own coefficient at that token: 0 removes it, 1 changes nothing, -1 reverses it",
        "max": "times the atom's largest |coefficient| in an indexed text",
        "norm": "times the norm of the activation (after centring)",
    }
)


@dataclass(frozen=True)
class Change:
    """What is done to one atom wherever the change applies.

    In the unit "own" its coefficient c becomes strength * c; an atom that is not there stays away. In the others
    strength * unit takes the coefficient's place, or with `added` is added to it.
    """

    atom: int
    strength: float
    unit: str = "own"  # see UNITS
    added: bool = False
    largest: float | None = None  # the atom's largest |coefficient|; asked for by the unit "max"

    def check(self, dictionary: AtomDictionary) -> None:
        """Raises UserError for what cannot be done with `dictionary`."""
        dictionary.labels(self.atom)
        if self.unit not in UNITS:
            raise UserError(f"Strength in the unit {self.unit!r:.40} is unknown; choose {', '.join(UNITS)}.")
        if not isfinite(self.strength) or abs(self.strength) > MOST_STRENGTH:
            raise UserError(f"A strength of {self.strength} is none; give a number between -1e6 and 1e6.")
        if self.unit == "max" and self.largest is None:
            raise UserError(
                f"The largest coefficient of atom {self.atom} is known from an index of where it fires; make one (itda "
                "atoms index), or give the strength in another unit."
            )
        if self.added and self.unit == "own":
            raise UserError("Times its own coefficient, an atom is scaled, not added; choose the unit max or norm.")

    def coefficients(self, now: torch.Tensor, norms: torch.Tensor) -> torch.Tensor:
        """The atom's coefficients (n_tokens,) afterwards; now: before; norms: of the activations, after centring."""
        if self.unit == "own":
            return now * self.strength
        unit = norms if self.unit == "norm" else torch.full_like(norms, self.largest or 0.0)
        return now + self.strength * unit if self.added else self.strength * unit


@dataclass(frozen=True)
class ChangedToken:
    """What a change does at one token."""

    token: int
    atom: int
    before: float  # coefficient
    after: float
    norm: float  # of the activation, after centring

    @property
    def strengths(self) -> tuple[float | None, float]:
        """`after` in the other units: times its own coefficient (None where it has none), times the norm."""
        return (self.after / self.before if self.before else None), (self.after / self.norm if self.norm else 0.0)


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
    applies = torch.tensor(where, dtype=torch.bool, device=code.x.device)
    if not include_special:
        applies = applies & ~code.left_out
    norms = (code.x - code.mean).norm(dim=1)
    shift, changed = torch.zeros_like(code.x), list[ChangedToken]()
    for atom in dict.fromkeys(change.atom for change in changes):
        before = _coefficients(code, atom)
        after = before
        for change in changes:
            after = change.coefficients(after, norms) if change.atom == atom else after
        after = torch.where(applies, after, before)
        shift += (after - before)[:, None] * dictionary.atoms[atom].double()
        for token in applies.nonzero()[:, 0].tolist():
            changed.append(ChangedToken(token, atom, float(before[token]), float(after[token]), float(norms[token])))
    kept = torch.where((applies & ~code.left_out)[:, None], code.error, torch.zeros_like(code.error))
    large = int((shift.norm(dim=1) > LARGE * norms).sum())
    return Shifted(shift.float(), (shift - kept).float(), tuple(changed), large)


def _coefficients(code: Coded, atom: int) -> torch.Tensor:
    """Of `atom` at each token (n_tokens,), 0 where it is not used."""
    return code.coefficients.masked_fill(code.atoms != atom, 0.0).sum(dim=1)
