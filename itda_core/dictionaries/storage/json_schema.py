"""The forms of stored JSON: stated once, and checked where it is read.

A `Form` looks at a value and says where it first differs from what it should be.

    table({"k": whole(1), "threshold": optional(number())})({"k": "x"})    # Misfit("k", "x", "a whole number from 1")
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from itda_core.errors import UserError
from itda_core.files import shown
from itda_core.files.dataclass_schema import LARGEST

MOST_TEXT = 4096  # characters of a name, a path, an id
_MOST_SHOWN = 80


class Misfit(NamedTuple):
    """Where a value is not what it should be."""

    where: str  # "spec.layer", "stages[2].tokens"; "" for the value itself
    value: Any
    wanted: str


Form = Callable[[Any], Misfit | None]


def check(value: Any, form: Form, source: object, remedy: str) -> None:
    """Raises UserError, naming `source` and the field, unless `value` has the form; remedy: what to do then."""
    misfit = form(value)
    if misfit is None:
        return
    if misfit.value is MISSING:
        raise UserError(f"{shown(source)} is damaged ({misfit.where} is missing or of a wrong type); {remedy}")
    what = shown(repr(misfit.value))
    what = what if len(what) <= _MOST_SHOWN else f"{what[:_MOST_SHOWN]}..."
    where = misfit.where or "it"
    raise UserError(
        f"{shown(source)} is damaged ({where} is missing or of a wrong type: {what}, not {misfit.wanted}); {remedy}"
    )


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()


def whole(least: int = 0, most: int = LARGEST) -> Form:
    """A whole number (true and false are none) from `least` to `most`."""
    wanted = f"a whole number from {least}" + ("" if most >= LARGEST else f" to {most}")
    return _of(wanted, lambda value: type(value) is int and least <= value <= most)


def number(least: float = -math.inf, most: float = math.inf) -> Form:
    """A number that is finite and within bounds."""
    bounds = [f"from {least:g}"] * (least > -math.inf) + [f"to {most:g}"] * (most < math.inf)
    wanted = " ".join(["a number", *bounds])
    return _of(
        wanted,
        lambda value: type(value) in (int, float) and abs(value) < 1e300 and least <= value <= most,
    )


def text(most: int = MOST_TEXT) -> Form:
    """Text of at most `most` characters."""
    return _of(f"text of at most {most:,} characters", lambda value: isinstance(value, str) and len(value) <= most)


def matching(pattern: str, wanted: str) -> Form:
    """Text all of which matches a regular expression."""
    return _of(wanted, lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None)


def truth() -> Form:
    """True or false."""
    return _of("true or false", lambda value: isinstance(value, bool))


def choice(*values: str) -> Form:
    """One of these texts."""
    return _of(" or ".join(values), lambda value: isinstance(value, str) and value in values)


def optional(form: Form) -> Form:
    """None, or what `form` wants."""
    return lambda value: None if value is None else form(value)


def listed(form: Form, *, most: int = 100_000, length: int | None = None) -> Form:
    """A list of what `form` wants; length: of exactly so many."""
    wanted = f"a list of {length}" if length is not None else f"a list of at most {most:,}"

    def fits(value: Any) -> Misfit | None:
        if not isinstance(value, list) or len(value) > most or length not in (None, len(value)):
            return Misfit("", value, wanted)
        return next((_inside(f"[{i}]", misfit) for i, item in enumerate(value) if (misfit := form(item))), None)

    return fits


def row(*forms: Form) -> Form:
    """A list whose entries have these forms, one after the other."""

    def fits(value: Any) -> Misfit | None:
        if not isinstance(value, list) or len(value) != len(forms):
            return Misfit("", value, f"a list of {len(forms)}")
        pairs = enumerate(zip(forms, value, strict=True))
        return next((_inside(f"[{i}]", misfit) for i, (form, item) in pairs if (misfit := form(item))), None)

    return fits


def table(required: Mapping[str, Form], more: Mapping[str, Form] | None = None, *, others: Form | None = None) -> Form:
    """An object with all keys of `required` and perhaps those of `more`; `others`: what values of further keys have to
    be, None: there are none.
    """
    forms = {**required, **(more or {})}

    def fits(value: Any) -> Misfit | None:
        if not isinstance(value, dict):
            return Misfit("", value, "an object")
        for name in required:
            if name not in value:
                return Misfit(name, MISSING, "there")
        for name, item in value.items():
            form = forms.get(name, others)
            if form is None or len(name) > MOST_TEXT:
                return Misfit(name, item, "a key that is known")
            if (misfit := form(item)) is not None:
                return _inside(name, misfit)
        return None

    return fits


def anything(depth: int = 8) -> Form:
    """Any value that another version may have written, with bounds on texts, lists and numbers."""
    if depth == 0:
        return _of("less deep", lambda value: not isinstance(value, (dict, list)))
    leaf = (optional(truth()), text(), whole(-LARGEST), number())

    def fits(value: Any) -> Misfit | None:
        if isinstance(value, dict):
            return table({}, others=anything(depth - 1))(value)
        if isinstance(value, list):
            return listed(anything(depth - 1))(value)
        return None if any(form(value) is None for form in leaf) else Misfit("", value, "a number or a short text")

    return fits


def _of(wanted: str, fits: Callable[[Any], bool]) -> Form:
    return lambda value: None if fits(value) else Misfit("", value, wanted)


def _inside(name: str, misfit: Misfit) -> Misfit:
    """The same as seen from the container that has the value under `name`."""
    dot = "" if not misfit.where or misfit.where.startswith("[") else "."
    return misfit._replace(where=f"{name[:_MOST_SHOWN]}{dot}{misfit.where}")
