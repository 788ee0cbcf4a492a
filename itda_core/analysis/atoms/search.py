"""Atoms found by what their labels say, by where they fire, or by a prompt; each with the reason why it was found.

Case and accents do not count anywhere, and a token is the text that people see. Scores, by which results are ranked:

- by token: 1 where a label's token is what was asked for, 0.8 where the token is a piece of that word, 0.6 times the
  share of the token's letters that were asked for where it begins so, 0.3 times where they stand within it;
- by context: all words that were asked for stand in the label's text; the mean over them of 1 / (1 + d / 40) at d
  characters from the token, half of it where a longer word begins so;
- by prompt: the share of the text that the atom stands for, times how surprising that much is, see prompt_search.py;
- by firing: the lower limit of how many times as often the tokens of the index that are the word use the atom as all
  its other tokens do, see firing_search.py.

Of equal scores the atom that is used more comes first, then the lower atom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from itda_core.analysis.atoms.folded_labels import FoldedLabels, arrow_compute, fold, words_of
from itda_core.analysis.in_common import short_label
from itda_core.errors import UserError
from itda_core.printable import visible, visible_token

if TYPE_CHECKING:
    import pyarrow as pa

    from itda_core.dictionaries import AtomLabel

BY = ("token", "context", "prompt", "firing")
RESULTS = 50
_HALF_AT = 40  # characters from the token at which a word counts half
_FEWER = 1e-9  # less than any score
# Per label, or per atom, its score (0: not found), and what gives the reason for one of them.
_Scored = tuple[np.ndarray, Callable[[int], str]]


@dataclass(frozen=True)
class UsedAt:
    """A token of a text that uses an atom."""

    index: int  # of the token in the text, special ones counted
    token: str
    coefficient: float


@dataclass(frozen=True)
class Found:
    """One atom that was found; keys of `itda atoms search --json`. Token and context are those of the label that fits
    best, or of the first one.
    """

    dictionary: str
    atom: int
    token: str
    context_before: str
    context_after: str
    score: float
    label: str  # the atom in a few words, visible: its token, or those of several labels, see in_common.short_label
    labels: int  # how many it has
    why: str  # one phrase; holds words of the corpus, never to be parsed
    used_at: tuple[UsedAt, ...] = ()  # by prompt: the tokens of the text at which it is strongest
    share: float | None = None  # by prompt: |coefficient| / norm, mean over the text's tokens
    usual: float | None = None  # the same over the index's tokens; None without an index


@dataclass(frozen=True)
class Searched:
    """One dictionary, ready to be searched."""

    name: str
    labels: FoldedLabels
    uses: np.ndarray | None = None  # (n_atoms,) tokens of its index that use each atom; None without an index
    tokens: int = 0  # of its index
    shares: np.ndarray | None = None  # (n_atoms,) sum over these tokens of |coefficient| / norm


def search_labels(dictionaries: Sequence[Searched], query: str, by: str = "token", n: int = RESULTS) -> list[Found]:
    """The first `n` atoms of all `dictionaries` whose labels fit `query`, by "token" or by "context".

    Raises UserError for a query without a word or a sign.
    """
    assert by in ("token", "context"), by
    asked = fold(query).strip()
    if not asked or (by == "context" and not words_of(query)):
        raise UserError("There is nothing to search for; give a word.")
    score = _by_token if by == "token" else _by_context
    found: list[list[Found]] = []
    for dictionary in dictionaries:
        own: list[Found] = []
        scores, why = score(dictionary.labels, asked)
        for row in _best_rows(dictionary, scores, n):
            one = _found(dictionary, int(row), float(scores[row]), why(int(row)))
            if one.labels > 1:  # which of them fits
                one = replace(one, why=f"{one.why}: {_in_text(one)}")
            own.append(one)
        found.append(own)
    return best_of(dictionaries, found, n)


def best_of(dictionaries: Sequence[Searched], found: Sequence[Sequence[Found]], n: int) -> list[Found]:
    """The first `n` of what was found in each of `dictionaries`: by score, then by use, then by dictionary and atom."""
    rows = [
        (-one.score, -_use(dictionary, one.atom), order, one.atom, one)
        for order, (dictionary, own) in enumerate(zip(dictionaries, found, strict=True))
        for one in own
    ]
    return [row[-1] for row in sorted(rows, key=lambda row: row[:-1])[:n]]


def found_by(dictionary: Searched, scores: Mapping[int, tuple[float, str]]) -> list[Found]:
    """Atoms found in another way, with their scores and why, in the order given."""
    first = _first_rows(dictionary.labels)
    return [_found(dictionary, int(first[atom]), score, why) for atom, (score, why) in scores.items()]


def _by_token(labels: FoldedLabels, asked: str) -> _Scored:
    pc = arrow_compute()

    token, length = labels.token, np.maximum(1, pc.utf8_length(labels.token).to_numpy())
    share = np.minimum(1.0, len(asked) / length)
    scores = np.where(_true(pc.match_substring(token, asked)), 0.3 * share, 0.0)
    scores = np.where(_true(pc.starts_with(token, asked)), 0.6 * share, scores)
    scores = np.where(_true(pc.equal(labels.word, asked)), 0.8, scores)
    scores = np.where(_true(pc.equal(token, asked)), 1.0, scores)

    def why(row: int) -> str:
        shown = _quoted(labels.labels[row].token)
        if scores[row] == 1.0:
            return f"its token is {shown}"
        if scores[row] == 0.8:
            return f"its token {shown} is a piece of “{visible(asked)}”"
        begins = token[row].as_py().startswith(asked)
        return f"its token {shown} {'begins with' if begins else 'holds'} “{visible(asked)}”"

    return scores, why


def _by_context(labels: FoldedLabels, asked: str) -> _Scored:
    pc = arrow_compute()

    words = list(dict.fromkeys(words_of(asked)))
    rows = np.arange(len(labels.atom))
    for word in sorted(words, key=len, reverse=True):  # the rarest, likely, first
        taken = labels.text.take(_indices(rows))
        rows = rows[_true(pc.match_substring(taken, f" {word}"))]
    places = [_places(labels, rows, word) for word in words]
    scores = np.zeros(len(labels.atom))
    if len(rows):
        each = [np.where(whole, 1.0, 0.5) / (1 + distance / _HALF_AT) for distance, whole, _ in places]
        scores[rows] = np.mean(each, axis=0)

    def why(row: int) -> str:
        at = int(np.searchsorted(rows, row))
        parts = []
        for word, (distance, whole, behind) in zip(words, places, strict=True):
            name = f"“{visible(word)}{'' if whole[at] else '…'}”"
            n = int(distance[at])
            side = "behind" if behind[at] else "before"
            where = f"right {side} it" if n == 1 else f"{n} characters {side} it"
            parts.append(f"{name} is its word" if n == 0 else f"{name} {where}")
        return ", ".join(parts)

    return scores, why


def _places(labels: FoldedLabels, rows: np.ndarray, word: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where a word stands in the labels `rows`, which have it: how many characters from the token (0: it is the token's
    own word), whether it is a whole word there, and whether it stands behind the token.
    """
    pc = arrow_compute()

    chosen = _indices(rows)
    before, after, own = (column.take(chosen) for column in (labels.before, labels.after, labels.word))
    backwards = word[::-1]
    best = np.full(len(rows), np.inf)
    distance, whole, behind = np.full(len(rows), np.inf), np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    for is_whole, of_before, of_after in ((True, f" {backwards} ", f" {word} "), (False, f"{backwards} ", f" {word}")):
        for is_behind, column, pattern in ((False, before, of_before), (True, after, of_after)):
            at = pc.find_substring(column, pattern).to_numpy().astype(float)
            cost = np.where(at < 0, np.inf, (1 if is_whole else 2) * (1 + at / _HALF_AT))
            better = cost < best
            best, distance = np.where(better, cost, best), np.where(better, at + 1, distance)
            whole, behind = np.where(better, is_whole, whole), np.where(better, is_behind, behind)
    for is_whole, hits in ((False, pc.starts_with(own, word)), (True, pc.equal(own, word))):
        mine = _true(hits)
        distance, whole = np.where(mine, 0.0, distance), np.where(mine, is_whole, whole)
    return np.where(np.isfinite(distance), distance, 0.0), whole, behind


def _best_rows(dictionary: Searched, scores: np.ndarray, n: int) -> np.ndarray:
    """The rows of the `n` atoms with the best scores, each atom by its best label."""
    rows, atoms = np.flatnonzero(scores > _FEWER), dictionary.labels.atom
    uses = np.zeros(dictionary.labels.n_atoms, np.int64) if dictionary.uses is None else dictionary.uses
    order = rows[np.lexsort((rows, atoms[rows], -uses[atoms[rows]], -scores[rows]))]
    _, first = np.unique(atoms[order], return_index=True)
    return order[np.sort(first)[:n]]


def _first_rows(labels: FoldedLabels) -> np.ndarray:
    """The row of each atom's first label."""
    atoms, first = np.unique(labels.atom, return_index=True)
    rows = np.zeros(labels.n_atoms, np.int64)
    rows[atoms] = first
    return rows


def _use(dictionary: Searched, atom: int) -> int:
    """By how many tokens of its index an atom is used; 0 without one."""
    return 0 if dictionary.uses is None else int(dictionary.uses[atom])


def _found(dictionary: Searched, row: int, score: float, why: str) -> Found:
    labels = dictionary.labels
    label: AtomLabel = labels.labels[row]
    own = [labels.labels[i].token for i in np.flatnonzero(labels.atom == label.atom).tolist()]
    text = (label.token, label.context_before, label.context_after)
    return Found(dictionary.name, label.atom, *text, score, short_label(own), len(own), why)


def _in_text(one: Found) -> str:
    return f"{visible(one.context_before[-24:])}[{visible_token(one.token)}]{visible(one.context_after[:12])}"


def _quoted(token: str) -> str:
    return f"“{visible(token.strip() or token)}”"


def _true(mask: pa.Array) -> np.ndarray:
    return mask.to_numpy(zero_copy_only=False).astype(bool)


def _indices(rows: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.array(rows)
