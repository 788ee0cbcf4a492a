"""Activations of a reservoir that lie on disk, a few thousand at a time, with the labels of their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from itda_core.dictionaries.provenance import AtomLabel, check, to_frame, to_labels
from itda_core.dictionaries.storage.digested_files import (
    DIGESTS,
    check_digest,
    check_shape,
    is_as_sealed,
    read_frame,
    read_tensors,
    sealed,
    tensor_shapes,
    write_frame,
    write_tensors,
)
from itda_core.dictionaries.storage.json_schema import check as check_form
from itda_core.dictionaries.storage.json_schema import table, text
from itda_core.errors import UserError
from itda_core.files import new_folder, read_json, shown, write_json

_ACTIVATIONS, _LABELS, _DIGESTS = "activations.safetensors", "labels.parquet", "digests.json"
_REMEDY = "start the training anew."
_RECORD = table({DIGESTS: table({_ACTIVATIONS: text(), _LABELS: text()}, others=text())})


class Segment(NamedTuple):
    """A folder that is never written again, and which of its rows still count, in the order in which they came."""

    folder: Path
    size: int  # rows on disk
    rows: Tensor  # (n_rows,) int64, ascending
    numbers: Tensor  # (n_rows,) int64, see prefix_hash.numbers
    positions: Tensor  # (n_rows,) int64, in their windows

    @classmethod
    def write(cls, folder: Path, x: Tensor, numbers: Tensor, labels: Sequence[AtomLabel]) -> Segment:
        """x: (n_rows, d_model) float32; numbers: (n_rows,). The system brings them to the disk, see Reservoir.sync.

        Raises UserError when the disk is full.
        """
        positions = torch.tensor([label.position for label in labels], dtype=torch.int64)
        with new_folder(folder, synced=False) as made:
            tensors = {"x": x.cpu(), "numbers": numbers, "positions": positions}
            digests = {_ACTIVATIONS: write_tensors(made / _ACTIVATIONS, tensors)}
            digests[_LABELS] = write_frame(made / _LABELS, to_frame(labels))
            write_json(made / _DIGESTS, sealed({}, _DIGESTS, digests), synced=False)
        return cls(folder, len(labels), torch.arange(len(labels)), numbers, positions)

    @classmethod
    def open(cls, folder: Path) -> Segment:
        """With all its rows. Raises UserError when it is missing or damaged: its files are held against their digests
        here, once, and not whenever some of its rows are read.
        """
        file = folder / _ACTIVATIONS
        shapes = tensor_shapes(file)
        size = (shapes.get("x") or (0,))[0]
        if (folder / _DIGESTS).exists():  # an earlier version of this program wrote none
            record = read_json(folder / _DIGESTS, strict=True)
            check_form(record, _RECORD, folder / _DIGESTS, _REMEDY)
            if not is_as_sealed(record, _DIGESTS):
                raise UserError(f"{shown(folder / _DIGESTS)} is damaged (it is not what was written); {_REMEDY}")
            for name in (_ACTIVATIONS, _LABELS):
                check_digest(folder / name, record[DIGESTS][name])
        found = read_tensors(file, ("numbers", "positions"), shapes={"numbers": (size,), "positions": (size,)})
        check_shape(file, "x", shapes.get("x", ()), (size, None))
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
        labels = to_labels(check(read_frame(file, self.size), self.size, str(file)))
        return [labels[row] for row in self.rows[which].tolist()]
