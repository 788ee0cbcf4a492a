"""The callbacks that a training reports to while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from itda_core.dictionaries import TrainProgress


def ignore(_: object) -> None:
    """A callback that does nothing."""


def never() -> bool:
    """A `should_stop` that never asks to stop."""
    return False


class Reports(NamedTuple):
    """The callbacks of a training: its progress, its notes, and whether to stop."""

    on_step: Callable[[str], None] = ignore
    on_progress: Callable[[TrainProgress], None] = ignore
    on_note: Callable[[str], None] = ignore
    should_stop: Callable[[], bool] = never
