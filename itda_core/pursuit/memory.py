"""How much memory there is, and large arrays on a CPU as its caches like them."""

from __future__ import annotations

import math

import numpy as np
import psutil
import torch
from torch import Tensor

CACHE_LINE = 64  # bytes


def free_memory(device: torch.device) -> int:
    """Bytes nobody uses now, on the device or, for a CPU and what shares its memory, in this machine."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def empty(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """An uninitialised tensor. On a CPU it begins at a cache line and lies in large pages where the system has them:
    NumPy asks for those, torch does not, and random rows of a large matrix then cost a tenth more.
    """
    if device.type != "cpu":
        return torch.empty(shape, dtype=dtype, device=device)
    n_bytes = math.prod(shape) * dtype.itemsize
    raw = np.empty(n_bytes + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return torch.from_numpy(raw[start : start + n_bytes]).view(dtype).view(shape)
