"""A checkpoint's tensors, read from its safetensors files one by one; what was read is counted."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from itda_core.errors import UserError
from itda_core.foreign import quoted
from itda_core.models.folder.model_folder import index_file, weight_files, weight_map
from itda_core.models.folder.stored_tensors import Stored, stored_tensors

if TYPE_CHECKING:
    import torch

_READERS = 4  # threads: a fast disk wants several requests at once
_AT_ONCE = 16 * 2**20  # bytes of one request
_ALIGNMENT = 64  # bytes, as torch aligns memory: the last bits of a product may depend on it


class Weights:
    """The tensors of a model folder by name. Files are opened once and read as asked, never mapped, so the memory of
    this process holds what was read and nothing else.

    Raises UserError when a file is missing or torn, or the index names a tensor that is not there.
    """

    def __init__(self, folder: Path) -> None:
        files = weight_files(folder)
        self.stored = stored_tensors(files)  # by name
        for one in self.stored.values():
            _dtype(one.dtype)
        index = index_file(folder)
        for name, file in () if index is None else weight_map(index).items():
            if name not in self.stored or self.stored[name].file.name != file:
                raise UserError(
                    f"{index} says that {quoted(name)} is in {file}, where it is not; fetch or save the model again."
                )
        self._begin = {file: _data_of(file) for file in files}
        self._files = {file: os.open(file, os.O_RDONLY) for file in files}
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="weights")
        self.bytes_read = 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.stored)

    def room(self, names: Iterable[str]) -> int:
        """Bytes of a buffer that holds the tensors `names`."""
        return sum(_aligned(self.stored[name].size) for name in names)

    def read(self, names: Iterable[str], buffer: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """The tensors `names` in host memory, in the type they are stored in.

        buffer: uint8, of at least `room(names)` bytes; the tensors lie in it, so it must not be used again before they
        are done with. None: they get memory of their own. Raises UserError when the disk gives less than the file's
        header says.
        """
        import torch

        names = tuple(names)
        places = {name: self.stored[name] for name in names}
        if buffer is None:
            buffer = torch.empty(self.room(names), dtype=torch.uint8)
        raw, begin = {}, 0
        for name, place in places.items():
            raw[name] = buffer[begin : begin + place.size]
            begin += _aligned(place.size)
        jobs = [
            self._pool.submit(self._fill, places[name], bytes_.numpy()[start : start + _AT_ONCE], start)
            for name, bytes_ in raw.items()
            for start in range(0, places[name].size, _AT_ONCE)
        ]
        for job in jobs:
            job.result()
        self.bytes_read += sum(place.size for place in places.values())
        return {name: raw[name].view(_dtype(place.dtype)).view(place.shape) for name, place in places.items()}

    def _fill(self, place: Stored, target: memoryview, offset: int) -> None:
        done, begin = 0, self._begin[place.file] + place.start + offset
        while done < len(target):
            count = os.preadv(self._files[place.file], [target[done:]], begin + done)
            if count == 0:
                raise UserError(
                    f"{place.file} ended while it was read; nothing that was done is lost: fetch or save it again, "
                    "then go on with --resume."
                )
            done += count

    def close(self) -> None:
        """Let go of the files."""
        self._pool.shutdown(cancel_futures=True)
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files = {}


def _data_of(file: Path) -> int:
    """The byte behind a safetensors file's header."""
    with file.open("rb") as opened:
        return 8 + int.from_bytes(opened.read(8), "little")


def _aligned(size: int) -> int:
    """`size`, up to where the next tensor may begin."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _dtype(name: str) -> torch.dtype:
    """Raises UserError for a type that cannot be streamed."""
    import torch

    known = {
        "F64": torch.float64,
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "I64": torch.int64,
        "I32": torch.int32,
        "I16": torch.int16,
        "I8": torch.int8,
        "U8": torch.uint8,
        "BOOL": torch.bool,
    }
    if name not in known:
        raise UserError(
            f"The checkpoint stores numbers as {name}, which cannot be streamed; give one in bfloat16, float16 or "
            "float32, or load the model whole (--placement spread)."
        )
    return known[name]
