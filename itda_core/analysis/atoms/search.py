"""Atoms found by what their labels say, by where they fire, or by a prompt; each with the reason why it was found.

Case and accents do not count anywhere, and a token is the text that people see. Scores, by which results are ranked:

- by token: 1 where a label's token is what was asked for, 0.8 where the token is a piece of that word, 0.6 times the
  share of the token's letters that were asked for where it begins so, 0.3 times where they stand within it;
- by context: all words that were asked for stand in the label's text; the mean over them of 1 / (1 + d / 40) at d
  characters from the token, half of it where a longer word begins so;
- by prompt: n times the Kullback-Leibler divergence of the share of the prompt's n tokens that use the atom from the
  share of the index's that do, in nats: how improbable so much use would be in the text of the index. Only what is used
  more than usual is found. Without an index there is no usual, and the share of the prompt's coefficients ranks;
- by firing: of the tokens of the index that are the word, the lower limit of the lift with which they use the atom, see
  together.py.

Of equal scores the atom that is used more comes first, then the lower atom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from itda_core.analysis.atoms.folded_labels import FoldedLabels, arrow_compute, fold, words_of
from itda_core.errors import UserError
from itda_core.printable import visible

if TYPE_CHECKING:
    import pyarrow as pa

    from itda_core.dictionaries import AtomLabel
    from itda_core.pursuit import SparseCode

BY = ("token", "context", "prompt", "firing")
RESULTS = 50
_HALF_AT = 40  # characters from the token at which a word counts half
_FEWER = 1e-9  # less than any score
# Per label, or per atom, its score (0: not found), and what gives the reason for one of them.
_Scored = tuple[np.ndarray, Callable[[int], str]]


@dataclass(frozen=True)
class Found:
    """One atom that was found; keys of `itda atoms search --json`. Its label is the first, or the one that fits."""

    dictionary: str
    atom: int
    token: str
    context_before: str
    context_after: str
    score: float
    why: str  # one phrase; holds words of the corpus, never to be parsed


@dataclass(frozen=True)
class Searched:
    """One dictionary, ready to be searched."""

    name: str
    labels: FoldedLabels
    uses: np.ndarray | None = None  # (n_atoms,) tokens of its index that use each atom; None without an index
    tokens: int = 0  # of its index


def search_labels(dictionaries: Sequence[Searched], query: str, by: str = "token", n: int = RESULTS) -> list[Found]:
    """The first `n` atoms of all `dictionaries` whose labels fit `query`, by "token" or by "context".

    Raises UserError for a query without a word or a sign.
    """
    assert by in ("token", "context"), by
    asked = fold(query).strip()
    if not asked or (by == "context" and not words_of(query)):
        raise UserError("There is nothing to search for; give a word.")
    score = _by_token if by == "token" else _by_context
    found: list[tuple[float, int, int, Found]] = []
    for order, dictionary in enumerate(dictionaries):
        scores, why = score(dictionary.labels, asked)
        for row in _best_rows(dictionary, scores, n):
            one = _found(dictionary, int(row), float(scores[row]), why(int(row)))
            found.append((-one.score, -_use(dictionary, one.atom), order, one))
    return [one for *_, one in sorted(found, key=lambda row: (*row[:3], row[3].atom))[:n]]


def search_prompt(dictionaries: Sequence[Searched], codes: Sequence[SparseCode], n: int = RESULTS) -> list[Found]:
    """The first `n` atoms of all `dictionaries` that a text uses more than usual.

    codes: the text's, of each dictionary, each over the same tokens of text (special ones left out).
    """
    found: list[tuple[float, int, int, Found]] = []
    for order, (dictionary, code) in enumerate(zip(dictionaries, codes, strict=True)):
        scores, why = _by_prompt(dictionary, code)
        first = _first_rows(dictionary.labels)
        for atom in np.lexsort((np.arange(len(scores)), -scores))[:n]:
            if scores[atom] > _FEWER:
                one = _found(dictionary, int(first[atom]), float(scores[atom]), why(int(atom)))
                found.append((-one.score, -_use(dictionary, one.atom), order, one))
    return [one for *_, one in sorted(found, key=lambda row: (*row[:3], row[3].atom))[:n]]


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


def _by_prompt(dictionary: Searched, code: SparseCode) -> _Scored:
    merged = code.merged()
    indices, values = merged.indices.cpu().numpy(), merged.coefficients.abs().double().cpu().numpy()
    n_atoms, n = dictionary.labels.n_atoms, len(indices)
    used = np.bincount(indices[values > 0], minlength=n_atoms)
    strength = np.bincount(indices.ravel(), values.ravel(), minlength=n_atoms)
    part = strength / max(strength.sum(), 1e-300)
    if dictionary.uses is None:
        return part, lambda atom: f"{part[atom]:.0%} of this text's coefficients (no index says what is usual)"
    usual = (dictionary.uses + 0.5) / (dictionary.tokens + 1)  # one that was never used has no share of 0
    share = used / max(1, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(share < 1, (1 - share) * np.log((1 - share) / (1 - usual)), 0.0)
        scores = np.where(share > usual, n * (np.where(used > 0, share * np.log(share / usual), 0.0) + rest), 0.0)

    def why(atom: int) -> str:
        return f"used at {used[atom]} of {n} tokens, {share[atom] / usual[atom]:.3g} times its usual {usual[atom]:.2%}"

    return scores, why


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
    return 0 if dictionary.uses is None else int(dictionary.uses[atom])


def _found(dictionary: Searched, row: int, score: float, why: str) -> Found:
    label: AtomLabel = dictionary.labels.labels[row]
    return Found(dictionary.name, label.atom, label.token, label.context_before, label.context_after, score, why)


def _quoted(token: str) -> str:
    return f"“{visible(token.strip() or token)}”"


def _true(mask: pa.Array) -> np.ndarray:
    return mask.to_numpy(zero_copy_only=False).astype(bool)


def _indices(rows: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.array(rows)
