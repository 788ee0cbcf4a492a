"""One grade per atom, in words, and what a page shows of an atom's and of a dictionary's honesty.

Grades go by the strongest quarter of an atom's entries, either sign:

- "too rare to say": fewer than FEWEST examples of it;
- "fires on its own word": at least OWN_WORD of them are the label's token (or one of several labels');
- "fires on its kind": of any measure at least KIND_SHARE of them have it in common with the label, at least KIND_LIFT
  times as often as by chance, and the lower limit of the lift is above 1. That much lift keeps what is common anyway (a
  word in small letters after a space is every second token) from passing for a kind;
- "label misleads": none of this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from itda_core.analysis.atoms.honesty.drawn import PER_BIN, QUANTILES, SIGNS
from itda_core.analysis.atoms.honesty.tallies import (
    EVERYWHERE,
    MEASURES,
    METHOD_VERSION,
    STRONGEST,
    Shares,
    Tallies,
)

OWN_WORD = 0.5
KIND_SHARE, KIND_LIFT = 1 / 3, 3.0
FEWEST = 10
GRADES = ("fires on its own word", "fires on its kind", "label misleads", "too rare to say")


@dataclass(frozen=True)
class Measure:
    """How often examples have something in common with the label; lift is None where chance is 0."""

    share: float  # 0 to 1
    chance: float  # 0 to 1
    lift: float | None  # share / chance
    low: float | None  # of the lift, at 95%
    high: float | None


@dataclass(frozen=True)
class Measures:
    """All that was measured over some entries; None where nothing is known (a corpus without truth, no example)."""

    same_token: Measure | None
    same_class: Measure | None
    same_neighbourhood: Measure | None
    same_span: Measure | None
    same_kind: Measure | None


@dataclass(frozen=True)
class Bin:
    """One bin of an atom's entries."""

    quantile: int  # 1: the quarter of smallest |coefficient|, to 4
    sign: str  # "positive" or "negative"
    entries: int
    examples: int
    measures: Measures


@dataclass(frozen=True)
class AtomHonesty:
    """One atom: keys of `itda atoms show --json`; the measures are those of the strongest quarter."""

    atom: int
    grade: str  # one of GRADES
    entries: int  # without those at a label's own place
    examples: int  # of the strongest quarter
    same_token: Measure | None
    same_class: Measure | None
    same_neighbourhood: Measure | None
    same_span: Measure | None
    same_kind: Measure | None
    everywhere: Measures  # over all entries
    bins: tuple[Bin, ...]  # those with an entry


@dataclass(frozen=True)
class GradeShare:
    """How many atoms have one grade."""

    grade: str
    atoms: int
    share: float  # of all atoms
    share_of_use: float  # of all entries


@dataclass(frozen=True)
class DictionaryHonesty:
    """A whole dictionary. Measures weigh each atom by its entries; their interval takes atoms as independent."""

    version: int  # of the method
    contexts: str  # what compared neighbourhoods
    near: float  # the cosine from which two are the same
    per_bin: int  # most examples of a bin
    atoms: int
    grades: tuple[GradeShare, ...]  # in the order of GRADES
    strongest: Measures
    everywhere: Measures


def grades(tallies: Tallies) -> np.ndarray:
    """The number in GRADES of each atom's grade: (n_atoms,) int8."""
    own = tallies.shares("same_token")
    kind = np.zeros(len(tallies.entries), dtype=bool)
    for measure in MEASURES:
        if (found := tallies.shares(measure)) is not None:
            with np.errstate(invalid="ignore"):
                kind |= (found.share >= KIND_SHARE) & (found.lift >= KIND_LIFT) & (found.low > 1)
    own_word = np.zeros_like(kind) if own is None else np.nan_to_num(own.share) >= OWN_WORD
    found = np.where(own_word, 0, np.where(kind, 1, 2))
    return np.where(tallies.n_strongest < FEWEST, 3, found).astype(np.int8)


def of_atom(tallies: Tallies, atom: int) -> AtomHonesty:
    """What is known of one atom."""
    one = _row(tallies, atom)
    strongest = _measures(one, STRONGEST)
    bins = tuple(
        Bin(
            quantile=bin // SIGNS + 1,
            sign="negative" if bin % SIGNS else "positive",
            entries=int(one.entries[0, bin]),
            examples=int(one.examples[0, bin]),
            measures=_measures(one, (bin,)),
        )
        for bin in range(QUANTILES * SIGNS)
        if one.entries[0, bin]
    )
    return AtomHonesty(
        atom=atom,
        grade=GRADES[int(grades(one)[0])],
        entries=int(one.entries.sum()),
        examples=int(one.n_strongest[0]),
        **{name: getattr(strongest, name) for name in MEASURES},
        everywhere=_measures(one, EVERYWHERE),
        bins=bins,
    )


def of_dictionary(tallies: Tallies) -> DictionaryHonesty:
    """The share of each grade, and each measure over all atoms."""
    numbers, uses = grades(tallies), tallies.entries.sum(1)
    count = np.bincount(numbers, minlength=len(GRADES))
    used = np.bincount(numbers, uses, minlength=len(GRADES))
    shares = tuple(
        GradeShare(grade, int(n), float(n / max(1, len(numbers))), float(use / max(1, uses.sum())))
        for grade, n, use in zip(GRADES, count, used, strict=True)
    )
    whole = (_whole(tallies, bins) for bins in (STRONGEST, EVERYWHERE))
    return DictionaryHonesty(METHOD_VERSION, tallies.contexts, tallies.near, PER_BIN, len(numbers), shares, *whole)


def _row(tallies: Tallies, atom: int) -> Tallies:
    """The tallies of one atom alone."""
    rows = slice(atom, atom + 1)
    parts = (
        {name: values[rows] for name, values in of.items()}
        for of in (tallies.matches, tallies.chances, tallies.defined)
    )
    return Tallies(tallies.entries[rows], tallies.examples[rows], tallies.contexts, tallies.near, *parts)


def _measures(one: Tallies, bins: tuple[int, ...]) -> Measures:
    return Measures(*(_measure(one.shares(measure, bins)) for measure in MEASURES))


def _measure(found: Shares | None) -> Measure | None:
    if found is None or np.isnan(found.share[0]):
        return None
    share, chance, *lifts = (float(values[0]) for values in found)
    return Measure(share, chance, *(None if np.isnan(value) else value for value in lifts))


def _whole(tallies: Tallies, bins: tuple[int, ...]) -> Measures:
    """Over all atoms of which something is known: the ratio of two sums, its interval by the spread between atoms."""
    found: list[Measure | None] = []
    for name in MEASURES:
        shares = tallies.shares(name, bins)
        weight = tallies.entries[:, list(bins)].sum(1).astype(np.float64)
        known = np.zeros(len(weight), bool) if shares is None else ~np.isnan(shares.share) & (weight > 0)
        if shares is None or not known.any():
            found.append(None)
            continue
        weight = weight[known] / weight[known].sum()
        share, chance = (float(weight @ values[known]) for values in (shares.share, shares.chance))
        spread = 1.96 * float(np.sqrt((weight**2 * (shares.share[known] - share) ** 2).sum()))
        lifts = (share, max(0.0, share - spread), min(1.0, share + spread))
        found.append(Measure(share, chance, *(value / chance if chance else None for value in lifts)))
    return Measures(*found)
