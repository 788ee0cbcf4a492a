"""Room for large tensors that are needed for a while: in memory, or on disk where memory would be too short."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from itda_core.errors import UserError
from itda_core.files import PARTIAL, explained

_MOST_BYTES = 2**50


def scratch(n_rows: int, width: int, device: torch.device, folder: Path | None) -> Tensor:
    """An uninitialised tensor (n_rows, width) float32.

    With a folder, and on a CPU, it is a file there that is mapped into memory, of which the system holds as much as it
    has room for. The file has no name any more, so that it is gone with the tensor, or with the process.
    Raises UserError when the disk is full, and for more than any disk holds.
    """
    if n_rows * width * torch.float32.itemsize > _MOST_BYTES:
        raise UserError(f"{n_rows:,} activations at once are more than any disk holds; ask for fewer tokens.")
    if folder is None or device.type != "cpu" or n_rows * width == 0:
        return torch.empty(n_rows, width, device=device)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=PARTIAL, dir=folder)
        try:
            _reserve(handle, n_rows * width * torch.float32.itemsize)
            mapped = torch.from_file(name, shared=True, size=n_rows * width, dtype=torch.float32)
        finally:
            os.close(handle)
            with suppress(PermissionError):  # where a mapped file has to keep its name, its folder's owner removes it
                os.unlink(name)
    return mapped.view(n_rows, width)


def _reserve(handle: int, n_bytes: int) -> None:
    """Take the room on the disk now: a mapped file that finds none later ends the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, n_bytes)
        return
    block = bytes(2**20)
    for start in range(0, n_bytes, len(block)):
        os.write(handle, block[: n_bytes - start])
