"""Changes of atoms in a few signs, as a command and an address have them: `763:-1`, `51:0.5:norm:add`.

What is left out is what the command's other options say, or the default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from itda_core.analysis.interventions.change import MOST_STRENGTH, UNITS, Change
from itda_core.arguments import one_of
from itda_core.errors import UserError

FORM = "ATOM[:STRENGTH[:UNIT[:add]]]"
MOST_CHANGES = 16  # atoms changed at once
_ADD = "add"


def change_of(text: str, *, strength: float | None = None, unit: str = "own", added: bool = False) -> Change:
    """The change that `text` says; what it leaves out is given. Raises UserError for what cannot be read."""
    atom, *rest = text.strip().split(":")
    given = dict(zip(("strength", "unit", "add"), rest, strict=False))
    if len(rest) > 3 or given.get("add", _ADD) != _ADD:
        raise UserError(f"{text[:40]!r} is not the change of an atom; write {FORM}, such as 763:-1 or 51:0.5:norm:add.")
    if "strength" in given:
        strength = _number(given["strength"], text)
        unit = given.get("unit", "own")
        added = "add" in given
    if strength is None:
        raise UserError(f"How strongly {text[:40]!r} is to be changed is not said; give --strength, or write {FORM}.")
    if unit not in UNITS:
        raise UserError(f"Strength in the unit {unit!r:.40} is unknown; choose {one_of(tuple(UNITS))}.")
    return Change(_whole(atom), strength, unit, added=added)


def changes_of(texts: Sequence[str], **otherwise: float | str | bool | None) -> tuple[Change, ...]:
    """As `change_of`, for several. Raises UserError for too many as well."""
    if len(texts) > MOST_CHANGES:
        raise UserError(f"{len(texts)} atoms are too many to be changed at once; name at most {MOST_CHANGES}.")
    return tuple(change_of(text, **otherwise) for text in texts)  # pyright: ignore[reportArgumentType]


def text_of(change: Change) -> str:
    """The change in as few signs as say it."""
    parts = [str(change.atom), f"{change.strength:.10g}"]
    if change.unit != "own" or change.added:
        parts.append(change.unit)
    return ":".join([*parts, *([_ADD] if change.added else [])])


def with_largest(changes: Sequence[Change], largest: Callable[[int], float | None]) -> tuple[Change, ...]:
    """The changes with each atom's largest |coefficient|, so that every strength can be told in every unit."""
    return tuple(replace(one, largest=largest(one.atom)) for one in changes)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UserError(f"{text[:40]!r} is not the number of an atom; give whole numbers, such as 12,40.") from None


def _number(text: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= MOST_STRENGTH:
        raise UserError(f"The strength in {whole[:40]!r} is no number; write {FORM}, such as 763:-1 or 51:0.5:norm.")
    return value
