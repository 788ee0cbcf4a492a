"""The activations of chosen places of a corpus, from a forward pass over their windows alone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from itda_core.dictionaries.provenance import AtomLabel

if TYPE_CHECKING:
    from itda_core.dictionaries.activation_source import ActivationSource, Site
    from itda_core.dictionaries.labels_only import LabelsOnly
    from itda_core.text.windows import Window


class Chosen(NamedTuple):
    """A window, and per position of a wanted token its numbers among all that are wanted."""

    window: Window
    wanted: Mapping[int, Sequence[int]]


class Gathered(NamedTuple):
    """What a model showed at the places that were wanted. Rows lie in the order in which the text was read."""

    x: Mapping[Site, Tensor]  # each (n_places, width)
    labels: list[AtomLabel]  # of the rows, as atom 0 with error 0
    row_of: Tensor  # (n_wanted,) int64, on the CPU; -1: the place was not met


class LabelFinder:
    """Finds the places of labels in the windows that a model's tokenizer makes.

    With the tokenizer of the labels it is the very token. With another one it is the token that ends where the label's
    ends, in a window that begins where the label's begins: both have read the same prefix (contract, "prefix"). Of
    several tokens that end there, the pieces of one character, it is the last, which has read all of it.
    """

    def __init__(self, labels: Sequence[LabelsOnly], tokenizer_fingerprint: str) -> None:
        """Labels are numbered consecutively: those of the first of `labels` from 0, then those of the next."""
        self._exact: dict[tuple[str, int], dict[int, list[tuple[int, int]]]] = {}  # position: number, token id
        self._ending: dict[tuple[str, int], dict[int, list[int]]] = {}  # char_end: number
        self.count = 0
        for one in labels:
            same = one.spec.tokenizer_fingerprint == tokenizer_fingerprint
            columns = ("document", "window_start", "position", "token_id", "char_end")
            for document, start, position, token_id, end in zip(
                *(one.places[name].tolist() for name in columns), strict=True
            ):
                if same:
                    at = self._exact.setdefault((document, start), {}).setdefault(position, [])
                    at.append((self.count, token_id))
                else:
                    self._ending.setdefault((document, start), {}).setdefault(end, []).append(self.count)
                self.count += 1

    @property
    def documents(self) -> set[str]:
        """Those in which a label lies."""
        return {document for document, _ in (*self._exact, *self._ending)}

    def find(self, window: Window) -> dict[int, list[int]]:
        """Per position of a token of text, the numbers of the labels whose place it is; only such positions."""
        place = (window.document, window.char_start)
        found: dict[int, list[int]] = {}
        for position, labels in self._exact.get(place, {}).items():
            if position >= len(window) or window.special[position]:
                continue
            if here := [number for number, token_id in labels if token_id == window.token_ids[position]]:
                found[position] = here
        if ending := self._ending.get(place):
            last = {window.spans[i][1]: i for i in range(len(window)) if not window.special[i]}
            for end, numbers in ending.items():
                if end in last:
                    found.setdefault(last[end], []).extend(numbers)
        return found


def gather(
    model: ActivationSource,
    chosen: Iterable[Chosen],
    sites: Sequence[Site],
    n_wanted: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Gathered:
    """What `gathering` ends with; `on_progress` gets what it yields."""
    batches = gathering(model, chosen, sites, n_wanted)
    while True:
        try:
            on_progress(next(batches))
        except StopIteration as ended:
            return ended.value


def gathering(
    model: ActivationSource, chosen: Iterable[Chosen], sites: Sequence[Site], n_wanted: int
) -> Generator[int, None, Gathered]:
    """The activations at `sites` of the tokens that are wanted, which number from 0 to n_wanted - 1.

    Yields after each forward batch how many of the wanted have been met. Held are one batch and the activations of the
    wanted places. Raises UserError as the model's stream does.
    """
    under_way: dict[tuple[str, int], Mapping[int, Sequence[int]]] = {}

    def windows() -> Iterator[Window]:
        for one in chosen:
            if one.wanted:
                under_way[one.window.document, one.window.char_start] = one.wanted
                yield one.window

    parts: dict[Site, list[Tensor]] = {site: [] for site in sites}
    labels: list[AtomLabel] = []
    row_of = torch.full((n_wanted,), -1, dtype=torch.int64)
    met = 0
    for batch in model.stream(windows(), sites):
        rows: list[int] = []
        for row, token in enumerate(batch.tokens):
            numbers = under_way[token.window.document, token.window.char_start].get(token.position)
            if numbers:
                row_of[list(numbers)] = len(labels)
                labels.append(AtomLabel.of(token, 0, 0.0))
                rows.append(row)
                met += len(numbers)
        for token in batch.tokens:
            under_way.pop((token.window.document, token.window.char_start), None)
        for site in sites:
            parts[site].append(batch.activations[site][rows])
        yield met
    return Gathered({site: torch.cat(xs) if xs else torch.zeros(0, 0) for site, xs in parts.items()}, labels, row_of)
