"""The labels of a dictionary as they are searched: words without case and accents, in columns that Arrow looks through.

A search for 64,000 labels is to answer while somebody types, so nothing is folded then: it is done once, and held.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.analysis.atoms.honesty.context_vectors import WORD, folded

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from itda_core.dictionaries import AtomLabel

_LAST_PIECE, _FIRST_PIECE = re.compile(r"\w+\Z"), re.compile(r"\w+")


class FoldedLabels(NamedTuple):
    """One row per label, in the order of the labels that were given."""

    labels: Sequence[AtomLabel]
    atom: np.ndarray  # (n_labels,) int64
    token: pa.Array  # the token without the space around it
    word: pa.Array  # the whole word of which the token is a piece; the token where it is one, or none
    text: pa.Array  # words of token and context, a space around each: " the cat sat "
    before: pa.Array  # the words before the token, read backwards (letters too): " tac eht "
    after: pa.Array  # the words behind it

    @property
    def n_atoms(self) -> int:
        return int(self.atom.max()) + 1 if len(self.atom) else 0


def folded_labels(labels: Sequence[AtomLabel]) -> FoldedLabels:
    """`labels` as they are searched; some 30 microseconds for each."""
    import numpy as np
    import pyarrow as pa

    tokens, words, texts, before, after = [], [], [], [], []
    for label in labels:
        token, whole, (cut_left, cut_right) = fold(label.token).strip(), *_whole_word(label)
        left = words_of(label.context_before[: len(label.context_before) - cut_left])
        right = words_of(label.context_after[cut_right:])
        tokens.append(token)
        words.append(whole or token)
        texts.append(f" {' '.join([*left, *([whole] if whole else words_of(label.token)), *right])} ")
        before.append(f" {' '.join(left)} "[::-1])
        after.append(f" {' '.join(right)} ")
    columns = (pa.array(column, pa.large_string()) for column in (tokens, words, texts, before, after))
    return FoldedLabels(labels, np.array([label.atom for label in labels], dtype=np.int64), *columns)


def words_of(text: str) -> list[str]:
    """The folded words of a text."""
    return [folded(word) for word in WORD.findall(text)]


def fold(text: str) -> str:
    """Any text without case and accents, its lone surrogates replaced."""
    return folded(text.encode("utf-8", "replace").decode("utf-8"))


def _whole_word(label: AtomLabel) -> tuple[str, tuple[int, int]]:
    """The word that the token is, or is a piece of ("" where it is no word), and how many characters of that word stand
    before the token and behind it.
    """
    bare = label.token.strip()
    if not WORD.fullmatch(bare):
        return "", (0, 0)
    left = _LAST_PIECE.search(label.context_before) if label.token[:1] == bare[0] else None
    right = _FIRST_PIECE.match(label.context_after) if label.token[-1:] == bare[-1] else None
    before, behind = (piece.group() if piece else "" for piece in (left, right))
    if not WORD.fullmatch(f"{before}{bare}{behind}"):  # scripts without spaces: each sign is a word of its own
        return folded(bare), (0, 0)
    return folded(f"{before}{bare}{behind}"), (len(before), len(behind))


def arrow_compute() -> Any:
    """pyarrow.compute, whose functions are made when it is loaded, where no checker of types sees them."""
    import pyarrow.compute

    return pyarrow.compute
