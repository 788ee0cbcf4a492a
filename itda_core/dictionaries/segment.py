"""Activations of a pool that lie on disk, a few thousand at a time, with the labels of their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from itda_core.dictionaries.provenance import AtomLabel, check, to_frame, to_labels
from itda_core.dictionaries.storage import read_frame, read_tensors, write_frame, write_tensors
from itda_core.files import new_folder

_ACTIVATIONS, _LABELS = "activations.safetensors", "labels.parquet"


class Segment(NamedTuple):
    """A folder that is never written again, and which of its rows still count, in the order in which they came."""

    folder: Path
    size: int  # rows on disk
    rows: Tensor  # (n_rows,) int64, ascending
    numbers: Tensor  # (n_rows,) int64, see draws.numbers
    positions: Tensor  # (n_rows,) int64, in their windows

    @classmethod
    def write(cls, folder: Path, x: Tensor, numbers: Tensor, labels: Sequence[AtomLabel]) -> Segment:
        """x: (n_rows, d_model) float32; numbers: (n_rows,). Raises UserError when the disk is full."""
        positions = torch.tensor([label.position for label in labels], dtype=torch.int64)
        with new_folder(folder) as made:
            write_tensors(made / _ACTIVATIONS, {"x": x.cpu(), "numbers": numbers, "positions": positions})
            write_frame(made / _LABELS, to_frame(labels))
        return cls(folder, len(labels), torch.arange(len(labels)), numbers, positions)

    @classmethod
    def open(cls, folder: Path) -> Segment:
        """With all its rows. Raises UserError when it is missing or damaged."""
        found = read_tensors(folder / _ACTIVATIONS, ("numbers", "positions"))
        size = len(found["numbers"])
        return cls(folder, size, torch.arange(size), found["numbers"], found["positions"])

    def only(self, kept: Tensor) -> Segment:
        """The same with only those of its rows; kept: (n_rows,) bool."""
        return self._replace(rows=self.rows[kept], numbers=self.numbers[kept], positions=self.positions[kept])

    def activations(self) -> Tensor:
        """Those of its rows: (n_rows, d_model) float32."""
        return read_tensors(self.folder / _ACTIVATIONS, ("x",))["x"][self.rows]

    def labels(self, which: Tensor) -> list[AtomLabel]:
        """Those of `which` of its rows: (n_wanted,) int64, 0 for the first that counts."""
        file = self.folder / _LABELS
        labels = to_labels(check(read_frame(file), self.size, str(file)))
        return [labels[row] for row in self.rows[which].tolist()]
