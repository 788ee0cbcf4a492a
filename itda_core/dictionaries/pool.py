"""A bounded sample of a stream of activations, the same however the stream is cut or interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from itda_core.dictionaries.draws import numbers
from itda_core.dictionaries.provenance import AtomLabel
from itda_core.text.windows import Prefix

if TYPE_CHECKING:
    from itda_core.text.windows import TokenRef

ROOM_PER_ATOM, LEAST_ROOM = 40, 16_384  # activations from which a dictionary is chosen, whatever the corpus
SLACK = 0.25  # of `room`: by how much the buffer may outgrow it before it is cut


def pool_room(atoms: int) -> int:
    """How many activations of a site are held while `atoms` atoms are chosen from them."""
    return max(LEAST_ROOM, ROOM_PER_ATOM * atoms)


class Pool:
    """Of all activations added, those `room` whose tokens have the lowest numbers (draws.numbers of prefix and seed).

    As the numbers are uniform, this is a uniform sample without replacement; and two models that read the same text
    sample the same prefixes. A token that is added twice, as a resumed run may do, counts once.
    """

    def __init__(self, room: int, seed: int, width: int, device: torch.device) -> None:
        self._room, self._seed = room, seed
        self._x = torch.zeros(0, width, device=device)
        self._numbers = torch.zeros(0, dtype=torch.int64)
        self._labels: list[AtomLabel] = []
        self._parts: list[Tensor] = []  # added since the last cut
        self._part_numbers: list[Tensor] = []
        self._highest: int | None = None  # a number above it will not stay

    def __len__(self) -> int:
        return len(self._labels)

    def add(self, tokens: Sequence[TokenRef], x: Tensor) -> None:
        """Activations x (n_tokens, d_model) of `tokens`."""
        drawn = numbers((token.prefix for token in tokens), self._seed)
        keep = torch.arange(len(drawn)) if self._highest is None else (drawn <= self._highest).nonzero()[:, 0]
        rows = keep.tolist()
        self._add([AtomLabel.of(tokens[row], 0, 0.0) for row in rows], drawn[keep], x[keep.to(x.device)].float())

    def restore(self, labels: Sequence[AtomLabel], x: Tensor) -> None:
        """What `contents` gave, or more of the same stream: x (n_tokens, d_model)."""
        prefixes = (Prefix(label.document, label.window_start, label.char_end - 1) for label in labels)
        self._add(list(labels), numbers(prefixes, self._seed), x)

    def contents(self) -> tuple[Tensor, Tensor, list[AtomLabel]]:
        """Activations (n_tokens, d_model) float32, their numbers (n_tokens,) int64, and labels; lowest number first.

        The labels' atom, order and error mean nothing yet.
        """
        self._cut()
        return self._x, self._numbers, self._labels

    def _add(self, labels: list[AtomLabel], drawn: Tensor, x: Tensor) -> None:
        self._labels += labels
        self._parts.append(x)
        self._part_numbers.append(drawn)
        if len(self._labels) > (1 + SLACK) * self._room:
            self._cut()

    def _cut(self) -> None:
        if not self._parts:
            return
        drawn = torch.cat([self._numbers, *self._part_numbers])
        order = torch.argsort(drawn, stable=True)
        # The tokens that one character may be cut into have the same prefix and number: only the place tells twice.
        by_place: dict[tuple[str, int, int], int] = {}
        for row in order.tolist():
            by_place.setdefault(_place(self._labels[row]), row)
        order = torch.tensor(list(by_place.values()), dtype=torch.int64)[: self._room]
        self._x = torch.cat([self._x, *self._parts])[order.to(self._x.device)]
        self._numbers = drawn[order]
        self._labels = [self._labels[row] for row in order.tolist()]
        self._parts, self._part_numbers = [], []
        if len(order) == self._room:
            self._highest = int(self._numbers[-1])


def _place(label: AtomLabel) -> tuple[str, int, int]:
    return label.document, label.window_start, label.position
