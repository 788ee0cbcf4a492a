"""This machine's rates, measured once and kept for a month."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from itda_core import files
from itda_core.errors import UserError
from itda_core.models.folder.model_folder import weight_files
from itda_core.runs.costs.machines import PlannedMachine
from itda_core.runs.costs.training import disk_free
from itda_core.runs.home import home
from itda_core.runs.machine import machine

KEPT = "rates.json"  # in the user's folder
_DAYS = 30  # after which a rate is measured anew
_SECONDS = 2.0  # of repeating one measurement: the pace of shared machines changes from second to second
_SQUARE = {"cpu": 1024, "cuda": 8192, "mps": 4096}  # side of the matrices that are multiplied
_ARRAY = 256 * 2**20  # bytes that are read from memory
_SCRATCH = 128 * 2**20  # bytes that are written and read on the disk
_BLOCK = 8 * 2**20  # bytes of one read or write
_LEAST_SHARD = 64 * 2**20  # a smaller file says little of how fast its disk reads


@dataclass(frozen=True)
class Rate:
    """A measurement and its day."""

    value: float  # per second
    date: str  # ISO 8601


def this_machine(
    device: str, dtypes: Iterable[str], folder: Path | None = None, *, anew: bool = False
) -> PlannedMachine:
    """This machine with the rates of `device` ("cpu", "cuda", "cuda:1", "mps") in `dtypes`.

    Takes about eight seconds the first time: products of large matrices, a pass over an array, 128 MiB written to the
    user's folder, and as many read from the weights in `folder` (or, where these are small, from what was written),
    past the page cache where the system lets one ask for that. Rates are kept in the user's folder for 30 days; `anew`
    measures them again.
    """
    import torch

    kind = device.partition(":")[0]
    here = machine()
    rates = _Rates(home() / KEPT, anew)
    computer = f"{here.device_name}, {torch.get_num_threads()} threads" if kind == "cpu" else _card_name(device)
    found = {
        dtype: rates.get(f"{computer}: product in {dtype}", lambda dtype=dtype: _product(device, dtype))
        for dtype in dtypes
    }
    wide = "float32" if kind == "mps" else "float64"
    wide_rate = rates.get(f"{computer}: product in {wide}", lambda: _product(device, wide))
    memory = rates.get(f"{computer}: memory", lambda: _memory(device))
    moved = None if kind != "cuda" else rates.get(f"{computer}: transfer", lambda: _transfer(device))
    shard = _shard(folder)
    disk = f"disk {_device_of(shard or home())}"
    wanted = [f"{disk}: {what}" for what in ("read", "read again", "write")]
    disk_read, disk_again, disk_write = rates.get_all(wanted, lambda: _disk(shard))
    used = [*found.values(), wide_rate, memory, disk_read, disk_again, disk_write, *filter(None, [moved])]
    return PlannedMachine(
        name=f"this machine ({computer})",
        device=kind,
        host_memory=here.memory_free,
        device_memory=torch.cuda.mem_get_info(device)[0] if kind == "cuda" else None,
        matrix=MappingProxyType({dtype: rate.value for dtype, rate in found.items()}),
        wide_matrix=wide_rate.value,
        memory_read=memory.value,
        threads=torch.get_num_threads() if kind == "cpu" else 1,
        disk_read=disk_read.value,
        disk_read_again=disk_again.value,
        disk_write=disk_write.value,
        transfer=None if moved is None else moved.value,
        disk_free=disk_free(home()),
        measured=min(rate.date for rate in used)[:10],
    )


class _Rates:
    """Measurements by name, in one JSON file."""

    def __init__(self, path: Path, anew: bool) -> None:
        self._path = path
        self._kept = {} if anew else _read(path)

    def get(self, name: str, measure: Callable[[], float]) -> Rate:
        return self.get_all([name], lambda: [measure()])[0]

    def get_all(self, names: list[str], measure: Callable[[], list[float]]) -> list[Rate]:
        """The kept rates of `names`; all of them are measured where one is missing or old."""
        oldest = (datetime.now(UTC) - timedelta(days=_DAYS)).isoformat()
        if any(name not in self._kept or self._kept[name].date < oldest for name in names):
            now = datetime.now(UTC).isoformat()
            self._kept |= {name: Rate(value, now) for name, value in zip(names, measure(), strict=True)}
            kept = _read(self._path) | self._kept  # another process may have measured something else meanwhile
            files.write_json(
                self._path, {name: {"value": rate.value, "date": rate.date} for name, rate in sorted(kept.items())}
            )
        return [self._kept[name] for name in names]


def _read(path: Path) -> dict[str, Rate]:
    """What was kept; nothing where that is no longer readable, as it can be measured again."""
    try:
        kept: Any = files.read_json(path)
    except UserError:
        return {}
    if not isinstance(kept, dict):
        return {}
    return {
        name: Rate(float(rate["value"]), rate["date"])
        for name, rate in kept.items()
        if isinstance(rate, dict)
        and isinstance(rate.get("value"), (int, float))
        and rate["value"] > 0
        and isinstance(rate.get("date"), str)
    }


def _card_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def _product(device: str, dtype: str) -> float:
    """Operations per second of one large matrix product; a multiply-add is two."""
    import torch

    size = _SQUARE[device.partition(":")[0]]
    left, right = torch.randn(2, size, size, device=device).to(getattr(torch, dtype))
    return 2 * size**3 / _typical(lambda: left @ right, device)


def _memory(device: str) -> float:
    """Bytes per second of reading an array once; on a CPU by one thread, as an atom enters a dictionary."""
    import torch

    if device == "cpu":
        import numpy as np

        array = np.ones(_ARRAY // 8)
        return array.nbytes / _typical(lambda: array.sum(), device)
    values = torch.ones(_ARRAY // 4, device=device)
    return values.nbytes / _typical(lambda: values.sum(), device)


def _transfer(device: str) -> float:
    """Bytes per second from pinned host memory to the device."""
    import torch

    host, there = (
        torch.empty(_ARRAY, dtype=torch.uint8, pin_memory=True),
        torch.empty(_ARRAY, dtype=torch.uint8, device=device),
    )
    return _ARRAY / _typical(lambda: there.copy_(host, non_blocking=True), device)


def _typical(call: Callable[[], object], device: str) -> float:
    """Mean seconds of many runs, as a long run has them. The quickest run is up to 1.5 times as fast on a machine that
    others share, or that slows down when it is warm.
    """
    import torch

    wait = {"cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize}.get(device.partition(":")[0], lambda: None)
    call()
    wait()
    start, runs, seconds = time.perf_counter(), 0, 0.0
    while not runs or seconds < _SECONDS:  # at least once, however long this process had to wait
        call()
        wait()
        runs += 1
        seconds = time.perf_counter() - start
    return seconds / runs


def _shard(folder: Path | None) -> Path | None:
    """The largest file of weights, unless it is too small to time."""
    shard = None if folder is None else max(weight_files(folder), key=lambda file: file.stat().st_size)
    return shard if shard is not None and shard.stat().st_size >= _LEAST_SHARD else None


def _device_of(path: Path) -> int:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.stat().st_dev


def _disk(shard: Path | None) -> list[float]:
    """Bytes per second read from `shard` past the page cache and from it, and written to the user's folder.

    Without a shard what was written is read back.
    """
    home().mkdir(parents=True, exist_ok=True)
    with files.explained(home()), tempfile.NamedTemporaryFile(prefix=files.PARTIAL, dir=home()) as scratch:
        start = time.perf_counter()
        block = os.urandom(_BLOCK)
        for _ in range(_SCRATCH // _BLOCK):
            scratch.write(block)
        scratch.flush()
        os.fsync(scratch.fileno())
        written = _SCRATCH / (time.perf_counter() - start)
        with open(shard or scratch.name, "rb", buffering=0) as file:
            _forget(file.fileno())
            return [_reading(file.fileno()), _reading(file.fileno()), written]


def _forget(descriptor: int) -> None:
    """Asks the system to drop the file from its page cache, where there is a way to ask."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _reading(descriptor: int) -> float:
    block, done = bytearray(_BLOCK), 0
    start = time.perf_counter()
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb", buffering=0) as file:
        while done < _SCRATCH and (count := file.readinto(block)):
            done += count
    return done / (time.perf_counter() - start)
