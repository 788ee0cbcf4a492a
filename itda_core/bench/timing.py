"""Seconds of one call, on the device's own clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

Result = TypeVar("Result")


def timed(call: Callable[[], Result], device: str) -> tuple[float, Result]:
    """Seconds until the results of `call` are there (on CUDA between two events of its stream), and the results."""
    if device == "cpu":
        start = time.perf_counter()
        result = call()
        return time.perf_counter() - start, result
    torch.cuda.synchronize()
    before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    before.record()
    result = call()
    after.record()
    torch.cuda.synchronize()
    return before.elapsed_time(after) / 1000, result


@contextmanager
def matrix_precision(name: str) -> Iterator[None]:
    """Within the block float32 products are computed at torch's precision `name`: "highest", or "high" for TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
