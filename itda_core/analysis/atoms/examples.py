"""Where an atom fires: the strongest examples of both signs, and examples from each quantile of its coefficient."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from itda_core.text import folding

if TYPE_CHECKING:
    import numpy as np

    from itda_core.analysis.atoms.index import AtomIndex, Entries, IndexedWindow
    from itda_core.dictionaries import AtomLabel

N_STRONGEST = 20  # per sign
N_QUANTILES = 5
N_PER_QUANTILE = 4
_ALIKE_BEFORE, _ALIKE_AFTER = 40, 12  # folded characters around a token that make two examples alike
_AT_ONCE = 64  # candidates whose windows are read together
_MOST_LOOKED_AT = 2_048  # candidates of one list: an atom whose places are all alike shows few
_SPACES, _DIGITS = re.compile(r"\s+"), re.compile(r"\d+")


@dataclass(frozen=True)
class Example:
    """One token that uses the atom, in its window."""

    token: int  # its number in the index
    document: str
    window_start: int  # first character of the window in the document
    position: int  # in the window, special tokens counted
    char_start: int  # in the document
    char_end: int
    coefficient: float
    relative_coefficient: float  # coefficient / norm of the activation
    tokens: tuple[str, ...]  # the window's tokens of text, as people read them
    coefficients: tuple[float, ...]  # of this atom at each of them, 0 where it is not used
    at: int  # which of `tokens` the example is about
    kind: str | None = None  # of the document, where the corpus knows kinds
    text: str = ""  # the window's text
    spans: tuple[tuple[int, int], ...] = ()  # of each of `tokens`, characters of `text`; bytes of one share its place
    alike: int = 0  # further entries of this list, weaker ones, that read nearly the same and are folded into this one


@dataclass(frozen=True)
class Quantile:
    """One bin of an atom's coefficients, and examples drawn from it."""

    low: float
    high: float
    entries: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Examples:
    """Where an atom fires."""

    atom: int
    positive: tuple[Example, ...]  # strongest first
    negative: tuple[Example, ...]
    quantiles: tuple[Quantile, ...]  # from the lowest coefficient to the highest; of equal size
    own_places: int  # entries at a label's own place, which are left out of all lists


def examples_of(
    index: AtomIndex,
    atom: int,
    labels: Sequence[AtomLabel] = (),
    entries: Entries | None = None,
    *,
    n_strongest: int = N_STRONGEST,
    n_quantiles: int = N_QUANTILES,
    n_per_quantile: int = N_PER_QUANTILE,
) -> Examples:
    """Where `atom` fires in the text of `index`.

    labels: of the atom, whose own places are left out: the same document, read to the same character. Examples that
    read nearly the same (letters of either case, any digits, any space) are folded into the strongest. Those of the
    quantiles are drawn with the atom's number as seed. Raises UserError as index.entries.
    """
    import numpy as np

    atom = index.checked(atom)
    found = index.entries(atom) if entries is None else entries
    own = _own_places(index, found, labels)
    token, value = found.token[~own], found.coefficient[~own]
    order = np.lexsort((token, -np.abs(value)))
    lists = _Lists(index, found)
    positive, negative = (order[keep[order]] for keep in (value > 0, value < 0))
    return Examples(
        atom=atom,
        positive=lists.first(token[positive], n_strongest),
        negative=lists.first(token[negative], n_strongest),
        quantiles=tuple(_quantiles(lists, token, value, atom, n_quantiles, n_per_quantile)),
        own_places=int(own.sum()),
    )


def _quantiles(
    lists: _Lists, token: np.ndarray, value: np.ndarray, seed: int, n_quantiles: int, n_each: int
) -> Iterator[Quantile]:
    import numpy as np

    ascending = np.lexsort((token, value))
    generator = np.random.default_rng(seed)
    for part in np.array_split(ascending, n_quantiles):
        if not len(part):
            continue
        drawn = lists.first(token[generator.permutation(part)], n_each)
        strongest = tuple(sorted(drawn, key=lambda example: -example.coefficient))
        yield Quantile(float(value[part[0]]), float(value[part[-1]]), len(part), strongest)


def _own_places(index: AtomIndex, entries: Entries, labels: Sequence[AtomLabel]) -> np.ndarray:
    """Which entries (n_entries,) are at the place of one of `labels`."""
    import numpy as np

    places = {(label.document, label.char_end) for label in labels}
    ends = index.all_tokens.char_end[entries.token]
    own = np.isin(ends, [end for _, end in places])
    rows = np.flatnonzero(own)
    windows = index.windows(index.all_tokens.window[entries.token[rows]])
    own[rows] = [(window.document, int(ends[row])) in places for row, window in zip(rows, windows, strict=True)]
    return own


class _Lists:
    """Makes examples of tokens that use one atom."""

    def __init__(self, index: AtomIndex, entries: Entries) -> None:
        self._index, self._entries = index, entries

    def first(self, tokens: np.ndarray, wanted: int) -> tuple[Example, ...]:
        """Examples of the first `wanted` of `tokens` that do not read alike, in their order.

        Those that read like one of them are counted among the candidates that were looked at.
        """
        alike: dict[str, int] = {}
        chosen: dict[str, tuple[int, IndexedWindow]] = {}
        for token, window in self._in_windows(tokens[:_MOST_LOOKED_AT]):
            signature = self._signature(token, window)
            if signature in chosen:
                alike[signature] = alike.get(signature, 0) + 1
            elif len(chosen) < wanted:
                chosen[signature] = token, window
            if len(chosen) == wanted:
                break
        return tuple(self._example(*chosen[one], alike.get(one, 0)) for one in chosen)

    def _in_windows(self, tokens: np.ndarray) -> Iterator[tuple[int, IndexedWindow]]:
        for i in range(0, len(tokens), _AT_ONCE):
            part = tokens[i : i + _AT_ONCE]
            yield from zip(map(int, part), self._index.windows(self._index.all_tokens.window[part]), strict=True)

    def _signature(self, token: int, window: IndexedWindow) -> str:
        """What is the same of tokens that read alike."""
        known = self._index.all_tokens
        start, end = (int(ends[token]) - window.window_start for ends in (known.char_start, known.char_end))
        before = folded(window.text[max(0, start - 2 * _ALIKE_BEFORE) : start])[-_ALIKE_BEFORE:]
        after = folded(window.text[end : end + 2 * _ALIKE_AFTER])[:_ALIKE_AFTER]
        return "\0".join((before, folded(window.text[start:end]), after))

    def _example(self, token: int, window: IndexedWindow, alike: int) -> Example:
        import numpy as np

        rows = np.arange(window.first_token, window.first_token + window.n_tokens)
        known = self._index.tokens(rows)
        low, high = np.searchsorted(self._entries.token, [rows[0], rows[-1] + 1])
        coefficients = np.zeros(len(rows), dtype=np.float32)
        coefficients[self._entries.token[low:high] - rows[0]] = self._entries.coefficient[low:high]
        at = token - window.first_token
        starts, ends = known.char_start - window.window_start, known.char_end - window.window_start
        spans = tuple(zip(starts.tolist(), ends.tolist(), strict=True))
        value = float(coefficients[at])
        return Example(
            token=token,
            document=window.document,
            window_start=window.window_start,
            position=int(known.position[at]),
            char_start=int(known.char_start[at]),
            char_end=int(known.char_end[at]),
            coefficient=value,
            relative_coefficient=value / float(known.norm[at]),
            tokens=tuple(window.text[start:end] for start, end in spans),
            coefficients=tuple(map(float, coefficients)),
            at=at,
            kind=window.kind,
            text=window.text,
            spans=spans,
            alike=alike,
        )


def folded(text: str) -> str:
    """`text` without case, accents, kinds of space and digits: what reads the same becomes the same."""
    return _DIGITS.sub("0", _SPACES.sub(" ", folding.folded(text)))
