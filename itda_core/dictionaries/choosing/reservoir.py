"""A bounded sample of a stream of activations, the same however the stream is cut or interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from itda_core.dictionaries.choosing.prefix_hash import numbers
from itda_core.dictionaries.choosing.reservoir_segment import Segment
from itda_core.dictionaries.choosing.scratch import scratch
from itda_core.dictionaries.provenance import AtomLabel
from itda_core.files import explained, sync_folder, sync_tree
from itda_core.text.windows import Prefix

if TYPE_CHECKING:
    from itda_core.text.windows import TokenRef

ROOM_PER_ATOM, LEAST_ROOM = 40, 16_384  # activations from which a dictionary is chosen, whatever the corpus
SLACK = 0.25  # of `room`: by how much the reservoir may outgrow it before it is cut
SEGMENT_BYTES = 16 * 2**20  # of activations: what is held in memory before it goes to disk
MOST_ON_DISK = 2  # times `room`; above, segments are written anew without what does not count any more


def reservoir_room(atoms: int) -> int:
    """How many activations of a site are held while `atoms` atoms are chosen from them."""
    return max(LEAST_ROOM, ROOM_PER_ATOM * atoms)


class _Rows(NamedTuple):
    """Activations in memory, in the order in which they came."""

    x: Tensor  # (n_rows, d_model) float32
    numbers: Tensor  # (n_rows,) int64
    labels: list[AtomLabel]

    def only(self, kept: Tensor) -> _Rows:
        """Those of `kept` (n_rows,) bool."""
        labels = [self.labels[row] for row in kept.nonzero()[:, 0].tolist()]
        return _Rows(self.x[kept.to(self.x.device)], self.numbers[kept], labels)

    @classmethod
    def joined(cls, parts: Sequence[_Rows]) -> _Rows:
        return cls(
            torch.cat([part.x for part in parts]),
            torch.cat([part.numbers for part in parts]),
            [label for part in parts for label in part.labels],
        )


class Reservoir:
    """Of all activations added, those `room` whose tokens have the lowest numbers (prefix_hash.numbers).

    As the numbers are uniform, this is a uniform sample without replacement; and two models that read the same text
    sample the same prefixes. A token that is added twice, as a resumed run may do, counts once.

    With a `folder`, which is its own, SEGMENT_BYTES of activations are held in memory; what is more goes to the disk
    in segments (numbers and positions stay in memory, 24 bytes for each). A segment, once written, is not touched
    before `tidy`: a checkpoint that names the segments of a moment needs to hold only the rest.
    """

    def __init__(self, room: int, seed: int, width: int, device: torch.device, folder: Path | None = None) -> None:
        self._room, self._seed, self._width, self._device, self._folder = room, seed, width, device, folder
        self._segments: list[Segment] = []
        self._synced: set[str] = set()  # names of segments that a power cut does not lose
        self._written = 0  # segments so far, which names the next one
        self._parts: list[_Rows] = []  # in memory
        self._highest: int | None = None  # a number above it will not stay
        self._segment_rows = max(1, SEGMENT_BYTES // (width * torch.float32.itemsize))

    def __len__(self) -> int:
        return sum(len(segment.rows) for segment in self._segments) + self._in_memory

    @property
    def segments(self) -> list[str]:
        """The names of those that are on disk, in their order."""
        return [segment.folder.name for segment in self._segments]

    @property
    def tail(self) -> tuple[Tensor, list[AtomLabel]]:
        """What is not on disk: activations (n_tokens, d_model) float32 and labels, whose atom, order and error mean
        nothing yet.
        """
        rows = self._memory()
        return rows.x, rows.labels

    def add(self, tokens: Sequence[TokenRef], x: Tensor) -> None:
        """Activations x (n_tokens, d_model) of `tokens`. Raises UserError when the disk is full."""
        drawn = numbers((token.prefix for token in tokens), self._seed)
        keep = torch.arange(len(drawn)) if self._highest is None else (drawn <= self._highest).nonzero()[:, 0]
        labels = [AtomLabel.of(tokens[row], 0, 0.0) for row in keep.tolist()]
        self._add(_Rows(x[keep.to(x.device)].float(), drawn[keep], labels))

    def restore(self, labels: Sequence[AtomLabel], x: Tensor, segments: Sequence[str] = ()) -> None:
        """Go on from what `tail` and `segments` gave; what else is in the folder is removed.

        Raises UserError when a segment is missing or damaged.
        """
        assert self._folder is not None or not segments, "segments lie in a folder"
        if self._folder is not None:
            self._segments = [Segment.open(self._folder / name) for name in segments]
            self._synced = set(segments)
            self._written = max((int(name) for name in segments), default=0)
        self.tidy()
        prefixes = (Prefix(label.document, label.window_start, label.char_end - 1) for label in labels)
        self._add(_Rows(x, numbers(prefixes, self._seed), list(labels)))

    def sync(self) -> None:
        """Bring the segments to the disk, each once; a checkpoint that names them is written behind this."""
        new = [segment.folder for segment in self._segments if segment.folder.name not in self._synced]
        for folder in new:
            with explained(folder):
                sync_tree(folder)
            self._synced.add(folder.name)
        if new:
            sync_folder(new[0].parent)

    def tidy(self) -> None:
        """Remove what is in the folder beside the segments that count now."""
        if self._folder is None or not self._folder.is_dir():
            return
        named = set(self.segments)
        for path in self._folder.iterdir():
            if path.name not in named:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def clear(self) -> None:
        """Forget everything, on disk too."""
        self._segments, self._parts = [], []
        if self._folder is not None and self._folder.is_dir():
            shutil.rmtree(self._folder)

    def ordered(self) -> tuple[Tensor, Tensor]:
        """Activations (n_tokens, d_model) float32 and their numbers (n_tokens,) int64, the lowest number first.

        Raises UserError when the disk, where the activations lie if there are segments, is full.
        """
        drawn, places = self._cut()
        if not self._segments:  # then they are held in this order, and not twice
            rows = self._memory()
            self._parts = [_Rows(rows.x[places.to(self._device)], drawn[places], [rows.labels[i] for i in places])]
            return self._parts[0].x, self._parts[0].numbers
        x = self.room_for(len(places))
        to = torch.empty(len(drawn), dtype=torch.int64)
        to[places] = torch.arange(len(places))
        start = 0
        for part in self._activations():
            x[to[start : start + len(part)].to(x.device)] = part.to(x.device)
            start += len(part)
        return x, drawn[places]

    def room_for(self, n_rows: int) -> Tensor:
        """An uninitialised tensor (n_rows, d_model) where those of `ordered` are: in memory or on disk."""
        return scratch(n_rows, self._width, self._device, self._folder if self._segments else None)

    def labels(self, rows: Tensor) -> list[AtomLabel]:
        """Those of some rows of `ordered`, in their order. rows: (n_rows,) int64."""
        _, places = self._cut()
        wanted = places[rows.cpu()]
        found: dict[int, AtomLabel] = {}
        start = 0
        for segment in self._segments:
            here = torch.unique(wanted[(wanted >= start) & (wanted < start + len(segment.rows))])
            if len(here):
                found |= zip(here.tolist(), segment.labels(here - start), strict=True)
            start += len(segment.rows)
        found |= enumerate(self._memory().labels, start)
        return [found[place] for place in wanted.tolist()]

    @property
    def _in_memory(self) -> int:
        return sum(len(part.labels) for part in self._parts)

    def _memory(self) -> _Rows:
        """All that is in memory, as one part."""
        if len(self._parts) != 1:
            nothing = _Rows(torch.zeros(0, self._width, device=self._device), torch.zeros(0, dtype=torch.int64), [])
            self._parts = [_Rows.joined([nothing, *self._parts])]
        return self._parts[0]

    def _activations(self) -> Iterator[Tensor]:
        """Those of all segments, then those in memory: as many in all as there are rows."""
        for segment in self._segments:
            yield segment.activations()
        yield self._memory().x

    def _add(self, rows: _Rows) -> None:
        self._parts.append(rows)
        if self._folder is not None and self._in_memory >= self._segment_rows:
            self._segments.append(self._write(self._memory()))
            self._parts = []
        if len(self) > (1 + SLACK) * self._room:
            self._cut()
            if sum(segment.size for segment in self._segments) > MOST_ON_DISK * self._room:
                self._rewrite()

    def _cut(self) -> tuple[Tensor, Tensor]:
        """Forget what does not stay.

        Returns the numbers of what does, as it came, and where in them each is, the lowest first: (n_rows,) int64 each.
        """
        rows = self._memory()
        positions = torch.tensor([label.position for label in rows.labels], dtype=torch.int64)
        drawn = torch.cat([*(segment.numbers for segment in self._segments), rows.numbers])
        stays = _lowest(drawn, torch.cat([*(segment.positions for segment in self._segments), positions]), self._room)
        if not stays.all():
            *of_segments, of_memory = stays.split([*(len(one.rows) for one in self._segments), len(rows.labels)])
            self._segments = [one.only(kept) for one, kept in zip(self._segments, of_segments, strict=True)]
            self._parts = [rows.only(of_memory)]
            drawn = drawn[stays]
        if len(drawn) == self._room:
            self._highest = int(drawn.max())
        return drawn, torch.argsort(drawn, stable=True)

    def _rewrite(self) -> None:
        """Segments of only what counts; the old ones stay on disk until `tidy`."""
        made: list[Segment] = []
        waiting: list[_Rows] = []
        try:
            for segment in self._segments:
                labels = segment.labels(torch.arange(len(segment.rows)))
                waiting.append(_Rows(segment.activations(), segment.numbers, labels))
                if sum(len(part.labels) for part in waiting) >= self._segment_rows:
                    made.append(self._write(_Rows.joined(waiting)))
                    waiting = []
            if waiting:
                made.append(self._write(_Rows.joined(waiting)))
        except BaseException:
            for segment in made:
                shutil.rmtree(segment.folder, ignore_errors=True)
            raise
        self._segments = made

    def _write(self, rows: _Rows) -> Segment:
        assert self._folder is not None, "only a reservoir with a folder writes"
        labels = [replace(label, atom=row, order=row) for row, label in enumerate(rows.labels)]
        segment = Segment.write(self._folder / f"{self._written + 1:08d}", rows.x, rows.numbers, labels)
        self._written += 1
        return segment


def _lowest(drawn: Tensor, positions: Tensor, room: int) -> Tensor:
    """Which rows (n_rows,) bool have the `room` lowest numbers, of those that are the same token only the first.

    The tokens that one character may be cut into have the same prefix and number: only the position tells twice.
    """
    by_place = torch.argsort(positions, stable=True)
    by_place = by_place[torch.argsort(drawn[by_place], stable=True)]
    first = torch.ones(len(drawn), dtype=torch.bool)
    first[1:] = (drawn[by_place].diff() != 0) | (positions[by_place].diff() != 0)
    once = by_place[first].sort().values
    stays = torch.zeros(len(drawn), dtype=torch.bool)
    stays[once[torch.argsort(drawn[once], stable=True)][:room]] = True
    return stays
