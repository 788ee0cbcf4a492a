"""Which atoms fire on a word: the tokens of an index's text that are it, and the atoms that they use most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from itda_core.analysis.atoms.folded_labels import arrow_compute, words_of
from itda_core.analysis.atoms.honesty.context_vectors import WORD, folded
from itda_core.analysis.atoms.together import together
from itda_core.errors import UserError
from itda_core.printable import visible

if TYPE_CHECKING:
    import pyarrow as pa

    from itda_core.analysis.atoms.index import AtomIndex

MOST_WINDOWS = 2_000  # with the word that are looked at, spread evenly over the text
_AT_ONCE = 4_096


class FoldedWindows(NamedTuple):
    """The text of an index as it is searched: folded once, some 100 microseconds for each window, and held."""

    text: pa.Array  # (n_windows,) large_string: folded words, a space around each


@dataclass(frozen=True)
class FiringAtom:
    """An atom that tokens of the word use."""

    atom: int
    score: float  # lower limit of the lift, see together.py
    why: str


def folded_windows(index: AtomIndex) -> FoldedWindows:
    """The windows of `index` as they are searched. Raises UserError for damage."""
    import pyarrow as pa

    n, texts = index.description.windows, list[str]()
    for start in range(0, n, _AT_ONCE):
        texts += [
            f" {' '.join(words_of(window.text))} " for window in index.windows(range(start, min(n, start + _AT_ONCE)))
        ]
    return FoldedWindows(pa.array(texts, pa.large_string()))


def tokens_of(index: AtomIndex, windows: FoldedWindows, query: str) -> np.ndarray:
    """The tokens of the index that are, or are pieces of, the words of `query` where they follow each other.

    Of more than MOST_WINDOWS windows that have them, so many are looked at. Raises UserError for a query without a
    word.
    """
    pc = arrow_compute()

    wanted = words_of(query)
    if not wanted:
        raise UserError("There is nothing to search for; give a word.")
    rows = np.flatnonzero(pc.match_substring(windows.text, f" {' '.join(wanted)} ").to_numpy(zero_copy_only=False))
    if len(rows) > MOST_WINDOWS:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_WINDOWS).astype(np.int64)]
    found: list[np.ndarray] = []
    starts, ends = index.all_tokens.char_start, index.all_tokens.char_end
    for window in index.windows(rows):
        mine = slice(window.first_token, window.first_token + window.n_tokens)
        for start, end in _occurrences(window.text, wanted):
            overlaps = (starts[mine] < window.window_start + end) & (ends[mine] > window.window_start + start)
            found.append(window.first_token + np.flatnonzero(overlaps))
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def firing_on(index: AtomIndex, windows: FoldedWindows, query: str, n: int = 50) -> list[FiringAtom]:
    """The first `n` atoms that tokens of `query` use more often than chance would give, surely; see together.py."""
    tokens = tokens_of(index, windows, query)
    uses = index.sums["positive"] + index.sums["negative"]
    named = f"“{visible(' '.join(query.split())[:80])}”"
    return [
        FiringAtom(
            one.atom, one.low,
            f"used at {one.tokens:,} of {len(tokens):,} tokens of {named}, {one.lift:.3g} times as often as elsewhere",
        )
        for one in together(index.codes, tokens, uses, None, n)
        if one.low > 1
    ]  # fmt: skip


def _occurrences(text: str, wanted: list[str]) -> list[tuple[int, int]]:
    """The first and last character of each place in `text` where the words `wanted` follow each other."""
    words = [(folded(word.group()), word.start(), word.end()) for word in WORD.finditer(text)]
    names = [name for name, _, _ in words]
    size = len(wanted)
    return [
        (words[i][1], words[i + size - 1][2])
        for i in range(len(words) - size + 1)
        if names[i] == wanted[0] and names[i : i + size] == wanted
    ]
