"""A foreign tokenizer.json tried in a process of its own, before it comes into this one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from itda_core.foreign import quoted
from itda_core.models.tokenizer import trial_process

_RAISED = re.compile(r"[\w.]*(Error|Exception|Interrupt)(: |$)")  # how Python's last words begin
_SECONDS = 2 * trial_process.SECONDS  # on a machine with other work


class Trial(NamedTuple):
    """The result of a trial."""

    error: str | None  # why the file cannot be used, in a few words
    texts: tuple[tuple[str, list[int]], ...] = ()  # with the ids they were cut into


def tried(path: Path) -> Trial:
    """Reads the tokenizer.json at `path`, cuts texts by it and puts them together again, in a process of its own.

    That process is Python with the tokenizers package alone, and ends before this returns. Takes about a tenth of a
    second for a small vocabulary.
    """
    command = [sys.executable, "-P", trial_process.__file__, str(path)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # the same packages as here
        "TOKENIZERS_PARALLELISM": "false",
        "RAYON_NUM_THREADS": "1",
        "RUST_BACKTRACE": "0",
    }
    try:
        ended = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Trial(f"it takes more than {_SECONDS} s to read it and to cut a few texts")
    if ended.returncode:
        return Trial(_how_it_ended(ended.returncode, ended.stderr.decode("utf-8", "replace")))
    texts = json.loads(ended.stdout.decode("utf-8").rstrip().rpartition("\n")[2])
    return Trial(None, tuple((text, ids) for text, ids in texts))


def _how_it_ended(code: int, stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    raised = [number for number, line in enumerate(lines) if _RAISED.match(line)]
    if code > 0:  # Python's own last words, which may have several lines
        message = " ".join(lines[raised[-1] :] if raised else lines[-1:])
        return quoted(message.removeprefix("Exception: ")) or f"exit code {code}"
    if -code == getattr(signal, "SIGXCPU", None):
        return f"it takes more than {trial_process.SECONDS} s to read it and to cut a few texts"
    panics = [line for before, line in pairwise(lines) if "panicked at" in before]
    words = [*(lines[number] for number in raised), *panics, *(line for line in lines if "memory" in line), ""]
    return f"it ends the process that uses it ({signal.Signals(-code).name}{words[0] and ': '}{quoted(words[0])})"
