"""Which atoms fire on a word: the tokens of an index's text that are it, and the atoms that they use most.

The word is looked for in the text, not in the vocabulary: all tokens that cover some of it count, whether the tokenizer
has it with a space in front or without, with a capital, or in pieces. Signs without a word (an emoji, "%") count where
they stand so in the text.

How many times as often as elsewhere an atom is used at the word is the share of the word's tokens that use it, divided
by the share of all other tokens that do. Of few tokens either share is uncertain, and where no other token uses the
atom the ratio has no end; so atoms are ranked by a lower limit of that same ratio: the lower limit of the one share,
divided by the upper limit of the other, both of Chernoff and Hoeffding, see together.py. That any of all atoms has a
limit above its true ratio has a probability below ALPHA.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from itda_core.analysis.atoms.folded_labels import arrow_compute, words_of
from itda_core.analysis.atoms.honesty.context_vectors import WORD, folded
from itda_core.analysis.atoms.together import ALPHA, highest_shares, lowest_shares, uses_at
from itda_core.errors import UserError
from itda_core.figures_as_text import three_figures
from itda_core.printable import visible

if TYPE_CHECKING:
    import pyarrow as pa

    from itda_core.analysis.atoms.index import AtomIndex

MOST_WINDOWS = 2_000  # with the word that are looked at, spread evenly over the text
_AT_ONCE = 4_096


class FoldedWindows(NamedTuple):
    """The text of an index as it is searched: folded once, some 100 microseconds for each window, and held."""

    text: pa.Array  # (n_windows,) large_string: folded words, a space around each
    signs: pa.Array  # (n_windows,) large_string: the text as it is


@dataclass(frozen=True)
class FiringAtom:
    """An atom that tokens of the word use."""

    atom: int
    tokens: int  # of the word, that use it
    elsewhere: int  # other tokens that use it
    ratio: float  # of the two shares; inf where no other token uses it
    score: float  # lower limit of the ratio, above 0 and finite
    why: str


class WordTokens(NamedTuple):
    """The tokens of an index that are a word, or pieces of it."""

    tokens: np.ndarray  # int64, ascending
    not_looked_at: np.ndarray  # int64: those of the windows that have the word too, where there are too many of these


def folded_windows(index: AtomIndex) -> FoldedWindows:
    """The windows of `index` as they are searched. Raises UserError for damage."""
    import pyarrow as pa

    n, texts, signs = index.description.windows, list[str](), list[str]()
    for start in range(0, n, _AT_ONCE):
        read = [window.text for window in index.windows(range(start, min(n, start + _AT_ONCE)))]
        texts += [f" {' '.join(words_of(text))} " for text in read]
        signs += read
    return FoldedWindows(pa.array(texts, pa.large_string()), pa.array(signs, pa.large_string()))


def tokens_of(index: AtomIndex, windows: FoldedWindows, query: str) -> WordTokens:
    """The tokens of the index that are, or are pieces of, the words of `query` where they follow each other; of a query
    without a word, those of its signs.

    Of more than MOST_WINDOWS windows that have them, so many are looked at: which tokens of the rest are the word is
    then not known. Raises UserError for an empty query.
    """
    pc = arrow_compute()

    wanted, signs = words_of(query), query.encode("utf-8", "replace").decode("utf-8").strip()
    if not signs:
        raise UserError("There is nothing to search for; give a word.")
    column, pattern = (windows.text, f" {' '.join(wanted)} ") if wanted else (windows.signs, signs)
    rows = np.flatnonzero(pc.match_substring(column, pattern).to_numpy(zero_copy_only=False))
    not_looked_at = np.zeros(0, np.int64)
    if len(rows) > MOST_WINDOWS:
        left_out = np.zeros(index.description.windows, bool)
        left_out[rows] = True
        rows = rows[np.linspace(0, len(rows) - 1, MOST_WINDOWS).astype(np.int64)]
        left_out[rows] = False
        not_looked_at = np.flatnonzero(left_out[index.all_tokens.window])
    found: list[np.ndarray] = []
    starts, ends = index.all_tokens.char_start, index.all_tokens.char_end
    for window in index.windows(rows):
        mine = slice(window.first_token, window.first_token + window.n_tokens)
        places = _occurrences(window.text, wanted) if wanted else _places(window.text, signs)
        for start, end in places:
            overlaps = (starts[mine] < window.window_start + end) & (ends[mine] > window.window_start + start)
            found.append(window.first_token + np.flatnonzero(overlaps))
    return WordTokens(np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64), not_looked_at)


def firing_on(index: AtomIndex, windows: FoldedWindows, query: str, n: int = 50) -> list[FiringAtom]:
    """The first `n` atoms that tokens of `query` surely use more often than other tokens do, by the lower limit of how
    many times as often that is; of equal limits the larger ratio comes first, then the lower atom.

    Where none does so surely, those that may: of few tokens nothing is sure.
    """
    word, not_looked_at = tokens_of(index, windows, query)
    others = index.description.tokens - len(word) - len(not_looked_at)
    if not len(word) or not others:
        return []
    uses = index.sums["positive"] + index.sums["negative"]
    at_word = uses_at(index.codes, word, len(uses))
    atoms = np.flatnonzero(at_word)
    here = at_word[atoms]
    there = (_uses_but_at(index, not_looked_at, uses) - at_word)[atoms]
    threshold = np.log(2 * len(uses) / ALPHA)  # two limits for each atom
    low = lowest_shares(here, len(word), threshold) / highest_shares(there, others, threshold)
    with np.errstate(divide="ignore"):
        ratio = here / len(word) / (there / others)
    likely = np.flatnonzero(ratio > 1)
    sure = likely[low[likely] > 1]
    chosen = sure if len(sure) else likely
    order = chosen[np.lexsort((atoms[chosen], -ratio[chosen], -low[chosen]))[:n]]
    named = f"“{visible(' '.join(query.split())[:80])}”"
    doubt = "" if len(sure) else "; too few to tell from chance"
    columns = (column[order].tolist() for column in (atoms, here, there, ratio, low))
    return [
        FiringAtom(
            *row,
            why=f"used at {row[1]:,} of {len(word):,} tokens of {named}, "
            f"{_beside(row[2], others, row[3], whole=not len(not_looked_at))}{doubt}",
        )
        for row in zip(*columns, strict=True)
    ]


def _uses_but_at(index: AtomIndex, left_out: np.ndarray, uses: np.ndarray) -> np.ndarray:
    """By how many of the tokens that are not left out each atom is used; of the two parts the smaller is counted."""
    if 2 * len(left_out) <= index.description.tokens:
        return uses - uses_at(index.codes, left_out, len(uses))
    kept = np.ones(index.description.tokens, bool)
    kept[left_out] = False
    return uses_at(index.codes, np.flatnonzero(kept), len(uses))


def _beside(there: int, others: int, ratio: float, *, whole: bool) -> str:
    """How that compares with other tokens; whole: that they are all others of the index."""
    if there:
        return f"{three_figures(ratio)} times as often as elsewhere (at {there:,} of {others:,} tokens)"
    return "and nowhere else" if whole else f"and at none of {others:,} other tokens"


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


def _places(text: str, signs: str) -> list[tuple[int, int]]:
    """The first and last character of each place in `text` where `signs` stand."""
    return [(found.start(), found.end()) for found in re.finditer(re.escape(signs), text)]
