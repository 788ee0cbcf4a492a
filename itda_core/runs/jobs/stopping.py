"""Requests to stop: a training answers Ctrl-C and SIGTERM between two batches, keeps its state and ends."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Self


class Interrupted(Exception):
    """A training was asked to stop and did; what it had done, if anything, is kept in its checkpoint folder."""

    def __init__(self, tokens: int, total: int | None, when: str | None = None) -> None:
        """when: said instead of the tokens, as in "before block 3 was passed"."""
        self.tokens, self.total = tokens, total
        self.kept = bool(tokens or when)  # whether there is anything to go on from
        if not self.kept:
            super().__init__("Stopped before anything was done; there is nothing to go on from.")
            return
        of = "" if total is None else f" of {total:,}"
        super().__init__(f"Stopped {when or f'after {tokens:,}{of} tokens'}; what was done is kept.")

    def sentence(self, resumed_by: str, *, resuming: bool = False) -> str:
        """What a terminal says: how to go on by the command `resumed_by`, or how to begin again.

        resuming: whether this session itself went on from an earlier one, which is kept whatever this one has done.
        """
        if self.kept:
            return f"{self} To go on from there: {resumed_by}"
        if resuming:
            return f"Stopped before anything more was done; what was kept before still is. To go on: {resumed_by}"
        return str(self)


class StopRequest:
    """While the block runs, the first signal during work that can be kept is only remembered (`requested`).

    Before `defer()` is called there is nothing to keep, and a signal ends the block at once with KeyboardInterrupt; so
    does a second one. Outside the main thread no signal arrives and nothing is changed.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.requested = False
        self._deferred = False
        self._before: dict[signal.Signals, object] = {}

    def defer(self) -> None:
        """From here on the work is worth a checkpoint: `requested` will be looked at soon."""
        self._deferred = True

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in self._SIGNALS:
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]  (what signal.signal itself returned)
        self._before.clear()

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        if self.requested or not self._deferred:
            raise KeyboardInterrupt
        self.requested = True
