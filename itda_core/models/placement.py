"""Where a model's weights go: into one device's memory, or spread over GPUs, main memory and the disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from itda_core.errors import UserError
from itda_core.machine.host_memory import host_memory
from itda_core.models.folder.stored_tensors import FLOATS, stored_tensors

if TYPE_CHECKING:
    import torch

SHARE = 0.85  # of what is free that weights may take; the rest is for activations
_HEADS = {"lm_head", "embed_out"}  # parts of a tensor's name that say it belongs to a language model's head


class Room(NamedTuple):
    """Bytes that are free."""

    gpus: dict[int, int]  # by index; the first computes (with accelerate, every one its own part). Empty: the CPU does
    memory: int  # main memory


def room(device: torch.device, *, others: bool) -> Room:
    """What is free now for a model on `device`; with `others`, the further GPUs of this machine count as well."""
    import torch

    gpus: dict[int, int] = {}
    if device.type == "cuda":
        own = torch.cuda.current_device() if device.index is None else device.index
        further = [index for index in range(torch.cuda.device_count()) if index != own] if others else []
        gpus = {index: torch.cuda.mem_get_info(index)[0] for index in (own, *further)}
    return Room(gpus, host_memory().free)


def needed_bytes(files: Iterable[Path], itemsize: int, *, head: bool = True) -> int:
    """What the weights in safetensors files take once loaded, from the headers alone.

    itemsize: bytes of a number in the dtype that floating point tensors are loaded as. Files that cannot be read count
    nothing; loading them says what is wrong.
    """
    total = 0
    for file in files:
        try:
            tensors = stored_tensors([file])
        except UserError:
            continue
        for name, tensor in tensors.items():
            if head or not _HEADS.intersection(name.split(".")):
                stored = FLOATS.get(tensor.dtype)
                total += tensor.size if stored is None else tensor.size // stored * itemsize
    return total


def choose(needed: int, room: Room) -> Literal["memory", "spread", "disk"]:
    """Where `needed` bytes of weights fit.

    "memory": on the device that computes; "spread": on all GPUs and main memory together, of which the CPU alone has no
    more than before; "disk": nowhere, so that part of them must be read from disk again for every forward batch.
    """
    if needed <= SHARE * next(iter(room.gpus.values()), room.memory):
        return "memory"
    return "spread" if needed <= SHARE * (sum(room.gpus.values()) + room.memory) else "disk"


def limits(room: Room) -> dict[int | str, int]:
    """The most bytes of weights each place takes, as accelerate's `max_memory`; what is left over goes to disk."""
    places: dict[int | str, int] = {**room.gpus, "cpu": room.memory}
    return {place: int(SHARE * free) for place, free in places.items()}
