"""The activations of a whole corpus at one depth of a model, in a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from itda_core.files import PARTIAL, explained, sync_folder

if TYPE_CHECKING:
    import torch
    from typing_extensions import Buffer

_DIGEST_BYTES, _AT_ONCE = 32, 2**20
_AHEAD = 2  # batches that are being written while the next is computed


class HiddenStates:
    """One vector per token, forward batch by forward batch: raw numbers in `path`, `rows` of each batch one after the
    other, and behind them their sha256. Only the batches in hand are in memory."""

    def __init__(self, path: Path, rows: Sequence[int], width: int, dtype: torch.dtype) -> None:
        """rows: tokens of each batch."""
        self.path, self.width, self.dtype = path, width, dtype
        self._rows = tuple(rows)
        ends = [0]
        for count in rows:
            ends.append(ends[-1] + count)
        self._starts = tuple(ends)

    @property
    def bytes(self) -> int:
        return self._starts[-1] * self.width * self.dtype.itemsize

    @property
    def whole(self) -> bool:
        """Whether the file is there with all its batches, as they were written (a second for each gigabyte).

        Files of an earlier version of this program have no digest behind them and are taken as they are.
        """
        size = self.path.stat().st_size if self.path.is_file() else -1
        if size != self.bytes + _DIGEST_BYTES:
            return size == self.bytes
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            left = self.bytes
            while left and (part := file.read(min(left, _AT_ONCE))):
                digest.update(part)
                left -= len(part)
            return file.read() == digest.digest()

    def read(self, batch: int) -> torch.Tensor:
        """(rows of the batch, width) on the CPU."""
        import torch

        raw = torch.empty(self._rows[batch] * self.width * self.dtype.itemsize, dtype=torch.uint8)
        with self.path.open("rb", buffering=0) as file:
            file.seek(self._starts[batch] * self.width * self.dtype.itemsize)
            view, done = memoryview(cast("Buffer", raw.numpy())), 0
            while done < len(view) and (count := file.readinto(view[done:])):
                done += count
        assert done == len(view), "the file was whole when it was made"
        return raw.view(self.dtype).view(self._rows[batch], self.width)

    def each(self) -> Iterator[torch.Tensor]:
        """All batches in order; the next is read while one is in use."""
        with ThreadPoolExecutor(1, thread_name_prefix="hidden-states") as reader:
            coming = reader.submit(self.read, 0)
            for batch in range(len(self._rows)):
                held = coming.result()
                if batch + 1 < len(self._rows):
                    coming = reader.submit(self.read, batch + 1)
                yield held

    @contextmanager
    def writing(self) -> Iterator[HiddenStatesWriter]:
        """A writer of all batches in order; the file appears in one rename when the block ends.

        Raises UserError when the disk is full; what was there before stays.
        """
        partial = self.path.with_name(f"{PARTIAL}{self.path.name}")
        try:
            with explained(self.path):
                descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            with ThreadPoolExecutor(1, thread_name_prefix="hidden-states") as thread:
                writer = HiddenStatesWriter(self, descriptor, thread)
                try:
                    yield writer
                    with explained(self.path):
                        writer.finish()
                        os.fsync(descriptor)
                finally:
                    thread.shutdown(cancel_futures=True)
                    os.close(descriptor)
            with explained(self.path):
                partial.replace(self.path)
                sync_folder(self.path.parent)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        """Remove the file, if it is there."""
        self.path.unlink(missing_ok=True)


class HiddenStatesWriter:
    """Writes batches behind the computation."""

    def __init__(self, states: HiddenStates, descriptor: int, thread: ThreadPoolExecutor) -> None:
        self._states, self._descriptor, self._thread = states, descriptor, thread
        self._digest = hashlib.sha256()
        self._pending: list[Future[None]] = []

    def add(self, activations: torch.Tensor) -> None:
        """activations: (rows of the next batch, width), of any device. Raises UserError when the disk is full."""
        held = activations.to("cpu", self._states.dtype).contiguous()
        self._pending.append(self._thread.submit(self._write, held))
        while len(self._pending) > _AHEAD:
            with explained(self._states.path):
                self._pending.pop(0).result()

    def finish(self) -> None:
        """Wait until all is written, and write the digest of it."""
        for pending in self._pending:
            pending.result()
        self._pending = []
        self._put(memoryview(self._digest.digest()))

    def _write(self, held: torch.Tensor) -> None:
        import torch

        view = memoryview(cast("Buffer", held.view(torch.uint8).numpy())).cast("B")
        self._digest.update(view)
        self._put(view)

    def _put(self, view: memoryview) -> None:
        done = 0
        while done < len(view):
            done += os.write(self._descriptor, view[done:])
