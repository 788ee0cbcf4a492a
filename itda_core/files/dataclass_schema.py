"""Dataclasses from JSON: keys and values held against the fields that the JSON was written from.

A folder may hold anything: another version's files, a half restored copy, files edited by hand. What these
functions return has the types that its class declares, so that no caller need check them again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from functools import lru_cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from itda_core.errors import UserError

LARGEST = 2**53  # the whole numbers that every reader of JSON, a browser and a float64 hold exactly
MOST_CHARACTERS = 20_000  # of one string: no path, name, sentence or context has so many
_MOST_SHOWN = 60  # characters of a value in a message

ADDED: Mapping[str, bool] = MappingProxyType({"added": True})  # metadata of a field that earlier versions did not write

T = TypeVar("T")


class Unfit(ValueError):
    """The part `where` of a value does not fit its field's declaration; `problem` continues the sentence."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where or 'it'} {problem}")
        self.where, self.problem = where, problem


def read_as(kind: type[T], value: object, what: str, *, made: Mapping[str, Any] | None = None, whole: bool = True) -> T:
    """`from_json`, its refusal as a sentence about the `what`. Raises UserError, also what `kind` itself refuses."""
    try:
        return from_json(kind, value, made=made, whole=whole)
    except Unfit as unfit:
        part = f"'s {unfit.where}" if unfit.where else ""
        raise UserError(f"The {what}{part} {unfit.problem}; mend that or make it anew.") from None


def from_json(kind: type[T], value: object, *, made: Mapping[str, Any] | None = None, whole: bool = True) -> T:
    """A `kind` (a dataclass) from JSON with its fields as keys; lists become tuples.

    - made: fields whose JSON has another form than their declared type, as they are to be in the result;
    - whole: all the fields are keys but those that were ADDED; otherwise those that have a default may be missing.

    A number that JSON cannot hold was written as null (files.finite); where a number must be, null is NaN again. Whole
    numbers are counts, 0 to LARGEST. Raises Unfit for another key, type or size, and what `kind` itself refuses.
    """
    return _built(kind, value, "", made or {}, whole)


def value_as(hint: Any, value: object, where: str) -> Any:
    """`value`, read from JSON, as the type `hint`, one that a dataclass's field is declared as.

    Raises Unfit, which calls the value `where`.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, UnionType):
        return _one_of(inner, value, where)
    if origin is Literal:
        if not isinstance(value, str) or value not in inner:
            raise Unfit(where, f"is {_shown(value)}, none of {', '.join(inner)}")
        return value
    if origin is tuple:
        return _tuple(inner, value, where)
    if hint is dict or origin is dict:
        if not isinstance(value, dict):
            raise Unfit(where, f"is {_shown(value)}, not an object")
        return value
    if hint in _READ:
        return _READ[hint](value, where)
    return _built(hint, value, where, {}, True)


def _built(kind: type[T], value: object, where: str, made: Mapping[str, Any], whole: bool) -> T:
    if not isinstance(value, dict):
        raise Unfit(where, "is not a JSON object")
    known: tuple[Field[Any], ...] = fields(kind)  # pyright: ignore[reportArgumentType]  (a dataclass, of any kind)
    if unknown := sorted(set(value) - {own.name for own in known}):
        raise Unfit(where, f"has unknown keys {_cut(', '.join(unknown))}")
    needed = {
        own.name
        for own in known
        if not own.metadata.get("added") and (whole or (own.default is MISSING and own.default_factory is MISSING))
    }
    if missing := sorted(needed - set(value)):
        raise Unfit(where, f"lacks {', '.join(missing)}")
    hints, prefix = _hints(kind), f"{where}." if where else ""
    held = {name: value_as(hints[name], item, prefix + name) for name, item in value.items() if name not in made}
    return kind(**held, **made)


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return {name: hint for name, hint in get_type_hints(kind).items() if get_origin(hint) is not ClassVar}


def _one_of(hints: tuple[Any, ...], value: object, where: str) -> Any:
    if value is None and NoneType in hints:
        return None
    refusals: list[Unfit] = []
    for hint in hints:
        if hint is not NoneType:
            try:
                return value_as(hint, value, where)
            except Unfit as unfit:
                refusals.append(unfit)
    raise refusals[0]


def _tuple(inner: tuple[Any, ...], value: object, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise Unfit(where, f"is {_shown(value)}, not a list")
    hints = (inner[0],) * len(value) if len(inner) == 2 and inner[1] is Ellipsis else inner
    if len(hints) != len(value):
        raise Unfit(where, f"has {len(value)} entries, not {len(hints)}")
    return tuple(value_as(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(zip(hints, value, strict=True)))


def _whole(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit(where, f"is {_shown(value)}, not a whole number")
    if not 0 <= value <= LARGEST:
        raise Unfit(where, f"is {_shown(value)}; a count is from 0 to 2^53")
    return value


def _number(value: object, where: str) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Unfit(where, f"is {_shown(value)}, not a number")
    if not -LARGEST <= value <= LARGEST:  # nor NaN
        raise Unfit(where, f"is {_shown(value)}, which is out of range")
    return float(value)


def _truth(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise Unfit(where, f"is {_shown(value)}, neither true nor false")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise Unfit(where, f"is {_shown(value)}, not text")
    if len(value) > MOST_CHARACTERS:
        raise Unfit(where, f"has {len(value):,} characters")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise Unfit(where, "has half a character, a lone surrogate") from None
    return value


def _shown(value: object) -> str:
    """A value in a message."""
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return _cut(ascii(value) if isinstance(value, str) else str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


_READ = {int: _whole, float: _number, bool: _truth, str: _text}
