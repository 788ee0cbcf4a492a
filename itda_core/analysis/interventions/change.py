"""What is done to an atom, and what became of its coefficient at a token, in every unit of strength."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from itda_core.errors import UserError

if TYPE_CHECKING:
    import torch

    from itda_core.dictionaries import AtomDictionary

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
    largest: float | None = None  # the atom's largest |coefficient|, where it is known; asked for by the unit "max"

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
        import torch

        unit = norms if self.unit == "norm" else torch.full_like(norms, self.largest or 0.0)
        return now + self.strength * unit if self.added else self.strength * unit


class Strengths(NamedTuple):
    """One coefficient in every unit (see UNITS); None where it cannot be told in that unit."""

    own: float | None  # None where the atom has no coefficient of its own there
    max: float | None  # None where its largest coefficient is not known
    norm: float


@dataclass(frozen=True)
class ChangedToken:
    """What changes of one atom do at one token."""

    token: int
    atom: int
    before: float  # coefficient
    after: float
    norm: float  # of the activation, after centring
    largest: float | None = None  # the atom's largest |coefficient|, where it is known

    @property
    def strengths(self) -> Strengths:
        """`after` in each unit."""
        return Strengths(
            self.after / self.before if self.before else None,
            self.after / self.largest if self.largest else None,
            self.after / self.norm if self.norm else 0.0,
        )

    @property
    def moved(self) -> bool:
        """Whether the coefficient is another than before."""
        return self.before != self.after
