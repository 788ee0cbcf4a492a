"""How much memory a call holds at most, beyond what was held before it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psutil
import torch

_PERIOD = 1e-3  # seconds between two looks at the process


def peak_growth(call: Callable[[], object], device: str) -> int:
    """Bytes by which memory grew at most while `call` ran; what it returns is counted as well.

    On CUDA what torch had allocated. On a CPU the memory of the process that was resident, looked at every millisecond:
    true in a process whose allocator gives back what is freed (see encoding_memory), too small elsewhere.
    """
    if device != "cpu":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    process, finished = psutil.Process(), threading.Event()
    before = largest = process.memory_info().rss

    def watch() -> None:
        nonlocal largest
        while not finished.wait(_PERIOD):
            largest = max(largest, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        result = call()  # held until the last look
        largest = max(largest, process.memory_info().rss)
        del result
    finally:
        finished.set()
        watcher.join()
    return largest - before
