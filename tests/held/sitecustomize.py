"""Python runs this first in processes that tests start with this folder on PYTHONPATH: it holds their trainings.

A training waits once $HOLD_AT tokens are read, until the file $HOLD_UNTIL is there or it is told to stop. What tests do
to it is so done in its middle, however fast or busy the machine is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from itda_core.runs.jobs import reporter
from itda_core.runs.training import run as training_run

_AT, _UNTIL = int(os.environ["HOLD_AT"]), Path(os.environ["HOLD_UNTIL"])
_follow = training_run._follow


def _held(events: Any, on_progress: Callable[[Any], None], should_stop: Callable[[], bool]) -> Any:
    def progressed(progress: Any) -> None:
        on_progress(progress)
        while progress.tokens >= _AT and not progress.done and not _UNTIL.exists() and not should_stop():
            time.sleep(0.01)

    return _follow(events, progressed, should_stop)


training_run._follow = _held
reporter._SECONDS_BETWEEN_WRITES = 0.0  # what it waits at is written before it waits
