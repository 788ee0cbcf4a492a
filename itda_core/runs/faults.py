"""What can be seen to be wrong with a job before it starts: all of it, each sentence about one field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from itda_core.errors import UserError

T = TypeVar("T")


class Faults:
    """Errors that hold a job back, and remarks that do not; of each field the first."""

    def __init__(self) -> None:
        self.errors: list[UserError] = []
        self.remarks: list[UserError] = []

    def __bool__(self) -> bool:
        return bool(self.errors)

    def of(self, *fields: str) -> bool:
        """Whether one of the fields is wrong."""
        return any(error.field in fields for error in self.errors)

    def add(self, error: UserError, field: str = "") -> None:
        """Keep an error, about `field` unless it says of which it is."""
        error.field = error.field or field
        if not self.of(error.field):
            self.errors.append(error)

    @contextmanager
    def caught(self, field: str = "") -> Iterator[None]:
        """Keeps what the block raises."""
        try:
            yield
        except UserError as error:
            self.add(error, field)

    def made(self, kind: Callable[..., T], values: Mapping[str, Any], instead: Mapping[str, Any] = {}) -> T | None:
        """`kind` of `values`; of each value that it refuses the error is kept, and the default taken in its place, so
        that the others are looked at as well.

        instead: what is taken for values that have no default. None where nothing helps.
        """
        values = dict(values)
        for _ in range(len(values) + 1):
            try:
                return kind(**values)
            except UserError as error:
                self.add(error)
                if error.field not in values:
                    return None
                if error.field in instead:
                    values[error.field] = instead[error.field]
                else:
                    del values[error.field]
        return None
