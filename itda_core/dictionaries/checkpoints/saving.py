"""When a training saves its state."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from itda_core.dictionaries.checkpoints.checkpoint import Checkpoints
    from itda_core.dictionaries.checkpoints.snapshot import Snapshot
    from itda_core.dictionaries.growing.growth import Growth

WORK_PER_SAVING = 20  # checkpoints take at most about a twentieth of the time, however large they are


class Saving:
    """Checkpoints of `growths`, `seconds` apart or more; without `checkpoints`, nothing is saved."""

    def __init__(
        self, checkpoints: Checkpoints | None, growths: Sequence[Growth], seconds: float, saved: Snapshot
    ) -> None:
        """saved: the snapshot that the run begins with, which need not be saved."""
        self._checkpoints, self._growths, self._seconds, self._saved = checkpoints, growths, seconds, saved
        self._at, self._wait = time.monotonic(), seconds

    def when_due(self, snapshot: Snapshot) -> None:
        """Save `snapshot`, where a later session can go on, if the last time is long enough ago."""
        if time.monotonic() - self._at >= self._wait:
            self.now(snapshot)

    def now(self, snapshot: Snapshot) -> None:
        """Save `snapshot`, unless it was the last one to be saved. Raises UserError when the disk is full."""
        if self._checkpoints is None or snapshot == self._saved:
            return
        begun = time.monotonic()
        self._checkpoints.save(snapshot, self._growths)
        self._saved, self._at = snapshot, time.monotonic()
        self._wait = max(self._seconds, WORK_PER_SAVING * (self._at - begun))
