"""What a token and a label may have in common, and how often chance would give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomLabel


class Known(Protocol):
    """What a corpus knows of its text (text.passages.truth); None where it has no such document."""

    def kind(self, document: str) -> str | None:
        """The kind of a document."""
        ...

    def spans(self, document: str, character: int) -> str | None:
        """What a character is, outermost first, joined by "/"; "" where nothing is known of it."""
        ...


@dataclass(frozen=True)
class Attribute:
    """Something of which a token has one value, or none, and an atom those of its labels.

    A token and an atom have it in common where any of the atom's labels has the token's value. Chance: labels are
    permuted among the atoms that have the attribute, each atom drawn as often as it is used; the probability that a
    token's value is among those of the atom drawn is summed over all of them, so nothing is drawn.
    """

    of_tokens: np.ndarray  # (n_tokens,) int32, -1: none
    defined: np.ndarray  # (n_atoms,) bool: whether any label has a value
    _pairs: np.ndarray  # (n_pairs,) int64, ascending: atom * n_values + value
    _chance: np.ndarray  # (n_values + 1,) float64; the last one, at index -1, is 0

    @classmethod
    def of(
        cls, of_tokens: np.ndarray, atoms: Sequence[int] | np.ndarray, values: Sequence[int] | np.ndarray,
        uses: np.ndarray,
    ) -> Attribute:  # fmt: skip
        """atoms, values: of each label, (n_labels,), value -1 where it has none; uses: (n_atoms,) tokens."""
        atoms, values = np.asarray(atoms, dtype=np.int64), np.asarray(values, dtype=np.int64)
        has = values >= 0
        n_values = 1 + max(int(of_tokens.max(initial=-1)), int(values.max(initial=-1)))
        pairs = np.unique(atoms[has] * n_values + values[has])
        defined = np.zeros(len(uses), dtype=bool)
        defined[atoms[has]] = True
        total = uses[defined].sum()
        chance = np.zeros(n_values + 1)
        if total:
            chance[:-1] = np.bincount(pairs % n_values, uses[pairs // n_values] / total, minlength=n_values)
        return cls(of_tokens, defined, pairs, chance)

    def common(self, atom: np.ndarray, token: np.ndarray) -> np.ndarray:
        """Whether atom and token have it in common: (n,) bool."""
        value = self.of_tokens[token]
        key = atom.astype(np.int64) * (len(self._chance) - 1) + value
        at = np.minimum(np.searchsorted(self._pairs, key), max(0, len(self._pairs) - 1))
        return (value >= 0) & (self._pairs[at] == key) if len(self._pairs) else np.zeros(len(key), dtype=bool)

    def chance(self, token: np.ndarray) -> np.ndarray:
        """The probability that a token has it in common with an atom drawn by use: (n,) float64."""
        return self._chance[self.of_tokens[token]]


def spans_and_kinds(
    spans: np.ndarray,
    kinds: tuple[Sequence[str], np.ndarray],
    labels: Sequence[AtomLabel],
    truth: Known,
    uses: np.ndarray,
) -> tuple[Attribute, Attribute]:
    """What the corpus knows of tokens and of labels: the innermost span, and the kind of document.

    spans: (n_tokens,) objects, str or None. kinds: their names, and per token the number of its document's. Tokens and
    labels of which nothing is known have no value.
    """
    names = list(kinds[0])
    of_labels = [
        (_innermost(truth.spans(label.document, max(label.char_start, label.char_end - 1))), truth.kind(label.document))
        for label in labels
    ]
    number: dict[str, int] = {}
    every = {text: _innermost(text) for text in dict.fromkeys(spans)}
    tokens = {text: number.setdefault(name, len(number)) if name else -1 for text, name in every.items()}
    of_tokens = np.fromiter((tokens[text] for text in spans), dtype=np.int32, count=len(spans))
    atoms = [label.atom for label in labels]
    span_values = [number.setdefault(span, len(number)) if span else -1 for span, _ in of_labels]
    kind_values = [names.index(kind) if kind in names else -1 if kind is None else len(names) for _, kind in of_labels]
    return (
        Attribute.of(of_tokens, atoms, span_values, uses),
        Attribute.of(kinds[1].astype(np.int32), atoms, kind_values, uses),
    )


def _innermost(spans: str | None) -> str:
    return (spans or "").rpartition("/")[2]
