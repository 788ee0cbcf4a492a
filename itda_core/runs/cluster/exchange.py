"""Who computes which forward batch of a training, and where the others find it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

_PATIENCE = 1.0  # seconds that a question waits for an answer other than "wait"


class Key(NamedTuple):
    """A forward batch; keys are ordered as a training comes to them."""

    reading: int  # how often the text was begun
    window: int  # of the corpus, the batch's first
    digest: str  # of the token ids: equal digests mean equal activations, whatever the numbers


class Answer(NamedTuple):
    """What a worker is to do next: fetch `part`, compute batch `compute` for `members`, or (neither) ask again."""

    part: tuple[Any, ...] = ()  # one reference to a member's activations
    compute: Key | None = None
    members: tuple[int, ...] = ()


@dataclass
class _Entry:
    """A batch that somebody computes or has computed."""

    by: str  # who claimed it
    parts: dict[int, tuple[Any, ...]] | None = None  # per member, once computed


class Exchange:
    """A team's one record of who needs which batch; it holds references, never activations.

    Members (numbers) judge layers and need every batch in order; helpers need none. Any of them may compute a batch
    that nobody has claimed. A member that is ahead of the last waits once `ahead` batches are in hand, so that memory
    is bounded; the last one never waits for room. If this record is lost, batches are computed again.
    """

    def __init__(self, ahead: int) -> None:
        self._ahead = ahead
        self._positions: dict[int, Key] = {}
        self._entries: dict[Key, _Entry] = {}
        self._changed = asyncio.Event()

    async def join(self, members: Sequence[int]) -> None:
        """Registers members at the beginning, so that no other runs ahead while they load their model."""
        for member in members:
            self._positions[member] = Key(0, -1, "")

    async def leave(self, who: str, member: int | None = None) -> None:
        """This worker has ended and needs nothing more."""
        if member is not None:
            self._positions.pop(member, None)
        self._entries = {key: entry for key, entry in self._entries.items() if entry.parts or entry.by != who}
        self._tidy()

    async def lowest(self) -> Key | None:
        """Where the last member stands; None where none has begun."""
        return min(self._positions.values(), default=None)

    async def ask(self, who: str, member: int | None, position: Key, wanted: Sequence[Key]) -> Answer:
        """`position`: the batch the worker needs next; `wanted`: that and later ones, as far as it lacks them."""
        until = time.monotonic() + _PATIENCE
        if member is not None and self._positions.get(member) != position:
            self._positions[member] = position
            self._tidy()
        while True:
            entry = self._entries.get(position)
            if member is not None and entry is not None and entry.parts is not None and member in entry.parts:
                return Answer(part=entry.parts[member])
            if (key := self._to_compute(member, wanted)) is not None:
                self._entries[key] = _Entry(who)
                return Answer(compute=key, members=tuple(other for other, at in self._positions.items() if at <= key))
            left = until - time.monotonic()
            if left <= 0:
                return Answer()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return Answer()

    async def publish(self, key: Key, parts: Mapping[int, tuple[Any, ...]]) -> None:
        """A claimed batch is computed; parts: per other member one reference."""
        if key in self._entries:
            self._entries[key].parts = dict(parts)
        self._tidy()

    def _to_compute(self, member: int | None, wanted: Sequence[Key]) -> Key | None:
        for key in wanted:
            entry = self._entries.get(key)
            if entry is None:
                lowest = min(self._positions.values(), default=None)
                needed = member is not None or any(at <= key for at in self._positions.values())
                return key if needed and (len(self._entries) < self._ahead or key == lowest) else None
            if member is not None and entry.parts is not None and member not in entry.parts:
                return key  # it was computed while this member was away
        return None

    def _tidy(self) -> None:
        """Forget what everybody has passed; wake those who wait."""
        lowest = min(self._positions.values(), default=None)
        self._entries = {
            key: entry
            for key, entry in self._entries.items()
            if entry.parts is None or (lowest is not None and key >= lowest and entry.parts)
        }
        self._changed.set()
        self._changed = asyncio.Event()
