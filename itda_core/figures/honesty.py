"""Whether labels tell where atoms fire, in the words that every page, report and terminal has for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from itda_core.analysis.atoms.honesty.grades import (
    GRADES,
    AtomHonesty,
    DictionaryHonesty,
    Measure,
    Measures,
)
from itda_core.figures.page import Section, table
from itda_core.figures_as_text import figure
from itda_core.printable import visible

TITLE = "Do the labels tell where atoms fire?"
BY_CHANCE = (
    "By chance: the same count with labels of other atoms in place of the atom's own, drawn at random; an atom that is "
    "used more often lends its label more often."
)
ABOUT = (
    "An atom's grade goes by the quarter of its tokens where its coefficient is largest by size, the label's own place "
    "left out: by how many of them have something in common with the label (at most 32 of each sign are looked at). "
    f"{BY_CHANCE} Lift: how many times as often as by chance, with a 95% interval. Neighbourhood: the words "
    "around, hashed."
)
MEASURE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "same_token": "same token",
        "same_class": "same sort of token",
        "same_neighbourhood": "same neighbourhood",
        "same_span": "same span of the text",
        "same_kind": "same kind of document",
    }
)
SHORT_GRADES = ("own word", "its kind", "misleads", "too rare")  # in the order of GRADES, where a column is narrow


def sentence(text: str) -> str:
    """With a capital."""
    return text[:1].upper() + text[1:]


def percent(value: float) -> str:
    """A share, 0 to 1, in percent; small ones with a decimal."""
    return figure(value, ".1%" if value < 0.1 else ".0%")


def times(value: float) -> str:
    """A lift; small ones with a decimal."""
    return figure(value, ".1f" if value < 10 else ",.0f")


def beside_chance(one: Measure) -> str:
    """A measure: its share, that by chance, the lift with its interval."""
    words = f"{percent(one.share)}, by chance {percent(one.chance)}"
    if one.lift is None:
        return words
    interval = "" if one.low is None or one.high is None else f" ({times(one.low)} to {times(one.high)})"
    return f"{words}: {times(one.lift)}×{interval}"


def in_common(found: Measures | AtomHonesty) -> dict[str, str]:
    """Each measure beside chance; those of which nothing is known are left out."""
    every = {name: getattr(found, key) for key, name in MEASURE_NAMES.items()}
    return {sentence(name): beside_chance(one) for name, one in every.items() if one is not None}


def graded(found: DictionaryHonesty) -> dict[str, str]:
    """How many atoms have each grade; the second share is weighted by use."""
    return {
        sentence(one.grade): f"{one.atoms:,} atoms ({percent(one.share)}), {percent(one.share_of_use)} of all use"
        for one in found.grades
    }


def columns(found: DictionaryHonesty) -> dict[str, float | None]:
    """A dictionary's honesty as columns of a table of figures; a share is None where nothing is known."""
    named: dict[str, float | None] = {}
    for one, short in zip(found.grades, SHORT_GRADES, strict=True):
        stem = f"honesty_{short.replace(' ', '_')}"
        named |= {f"{stem}_share": one.share, f"{stem}_share_of_use": one.share_of_use}
    for key in MEASURE_NAMES:
        one = getattr(found.strongest, key)
        known = (None, None) if one is None else (one.share, one.chance)
        named |= dict(zip((f"honesty_{key}", f"honesty_{key}_by_chance"), known, strict=True))
    return named


def section(found: Mapping[str, DictionaryHonesty]) -> Section:
    """A row for each dictionary, by name, as a section of a page that opens without network."""
    heads = ("dictionary", *map(sentence, GRADES), *map(sentence, MEASURE_NAMES.values()))
    rows = [
        (
            visible(name),
            *(f"{percent(one.share_of_use)} ({percent(one.share)})" for one in known.grades),
            *(_with_chance(getattr(known.strongest, key)) for key in MEASURE_NAMES),
        )
        for name, known in found.items()
    ]
    note = (
        "By the text of each dictionary's atom index, which is another than that of this evaluation. Grades: share of "
        "all uses, and of the atoms in brackets. In common with the label: share of the strongest uses, and by chance "
        f"in brackets. {ABOUT}"
    )
    return Section(TITLE, table(heads, rows, numbers=heads[1:]), note)


def _with_chance(one: Measure | None) -> str:
    return "" if one is None else f"{percent(one.share)} ({percent(one.chance)})"
