"""Which prefixes two dictionaries can be compared at: those that both models have read and end a token at.

Models read different parts of a corpus (growth may end early), in windows of different lengths, with tokenizers of
their own. A prefix (document, first character of the window, last character read) is comparable for two of them when
both end a token there, in windows that begin at the same character, within what both have read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from itda_core.comparison.label_sets import LabelSet, packed
from itda_core.comparison.overlap.corpus_prefixes import read_prefixes
from itda_core.comparison.overlap.estimated_comparability import EstimatedComparability
from itda_core.comparison.overlap.refusals import check, described_corpus, refusal
from itda_core.comparison.overlap.token_counts import TokenCounts
from itda_core.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from itda_core.text.corpus import Corpus


class Comparability(Protocol):
    """What of each two sets can be compared. Matrices are (n_sets, n_sets)."""

    @property
    def exact(self) -> bool:
        """Whether the corpus was read for it; otherwise every label counts, and the trainings' records say how much was
        read."""
        ...

    @property
    def prefixes(self) -> np.ndarray:
        """Comparable prefixes, symmetric float64; NaN where not known."""
        ...

    @property
    def population(self) -> np.ndarray:
        """The prefixes that the labels which count were drawn from, for the uniform chance level; as `prefixes`."""
        ...

    @property
    def fraction(self) -> np.ndarray:
        """Of the prefixes that either has read, how many are comparable: 0 to 1, symmetric; NaN where not known."""
        ...

    def labels(self, i: int, j: int) -> np.ndarray:
        """(n_labels,) bool: which labels of set `i` are comparable with set `j`."""
        ...

    def sizes(self) -> np.ndarray:
        """int64: how many labels of set i are comparable with set j."""
        ...

    def token_counts(self, i: int, j: int, first: np.ndarray, second: np.ndarray) -> TokenCounts:
        """Of the labels `first` of set `i` and `second` of set `j`, both (n_labels,) bool and comparable."""
        ...


class _Common(NamedTuple):
    """The prefixes that two readings have in common, in the first one's order: where each stands in either reading.

    Both readings follow the text; where spans of a tokenizer overlap a little, `read` says how far the second has come.
    Arrays (n_common,) int64.
    """

    first: np.ndarray
    second: np.ndarray
    read: np.ndarray  # ascending


class ExactComparability:
    """Comparable prefixes of every two sets, found by reading the corpus once for each reading of the sets."""

    exact = True

    def __init__(
        self, sets: Sequence[LabelSet], corpus: Corpus, tokenizers: Mapping[str, PreTrainedTokenizerBase]
    ) -> None:
        """tokenizers: by fingerprint, one for every set's reading.

        Raises UserError when corpora differ, when a label does not occur in the text, and when two sets have nothing
        comparable.
        """
        check(sets)
        if corpus.fingerprint != sets[0].corpus:
            raise UserError(
                f"The text of corpus {corpus.id} is not the one that {sets[0].name} was built on "
                f"({described_corpus(sets[0])}); give the same file, unchanged."
            )
        self.sets = sets
        numbers: dict[str, int] = {}  # of documents
        self._readings = list(dict.fromkeys(one.reading for one in sets))
        self._read_prefixes = [
            read_prefixes(
                corpus, tokenizers[reading.tokenizer], [one for one in sets if one.reading == reading], numbers
            )
            for reading in self._readings
        ]
        self._own = [self._readings.index(one.reading) for one in sets]
        at = [self._found(one, numbers) for one in sets]  # each label's place among the prefixes of its own reading
        self._ends = [self._end(one, own, where) for one, own, where in zip(sets, self._own, at, strict=True)]
        self._common: dict[tuple[int, int], _Common] = {}
        # Each label's place among the prefixes that its reading has in common with another, -1 for none.
        self._places = [
            [self._place(own, other, where) for other in range(len(self._readings))]
            for own, where in zip(self._own, at, strict=True)
        ]
        n = len(sets)
        self.prefixes = np.array([[self._limit(i, j) for j in range(n)] for i in range(n)], float)
        self.population = self.prefixes
        read = np.array(self._ends, float)
        self.fraction = self.prefixes / (read[:, None] + read - self.prefixes)
        for i in range(n):
            for j in range(i):
                if not self.prefixes[j, i]:
                    raise refusal(sets[j], sets[i])

    def labels(self, i: int, j: int) -> np.ndarray:
        """See `Comparability.labels`."""
        place = self._places[i][self._own[j]]
        return (place >= 0) & (place < self._limit(i, j))

    def sizes(self) -> np.ndarray:
        """See `Comparability.sizes`."""
        n = len(self.sets)
        found = np.zeros((n, n), np.int64)
        for i in range(n):
            for other in set(self._own):
                place = self._places[i][other]
                place = np.sort(place[place >= 0])
                columns = [j for j in range(n) if self._own[j] == other]
                found[i, columns] = np.searchsorted(place, [self._limit(i, j) for j in columns])
        return found

    def token_counts(self, i: int, j: int, first: np.ndarray, second: np.ndarray) -> TokenCounts:
        """See `Comparability.token_counts`."""
        own, other = self._own[i], self._own[j]
        kinds = self._kinds[own, other]
        n_kinds = int(kinds.max()) + 1
        of_first, of_second, of_text = (
            np.bincount(kinds[which], minlength=n_kinds)
            for which in (
                self._places[i][other][first],
                self._places[j][own][second],
                slice(self._limit(i, j)),
            )
        )
        return TokenCounts(of_first, of_second, of_text)

    @cached_property
    def _kinds(self) -> dict[tuple[int, int], np.ndarray]:
        """For every two readings the kind of token at each common prefix, numbered from 0."""
        found = {}
        for b in range(len(self._readings)):
            for a in range(b + 1):
                common = self._shared(a, b)
                ids = self._read_prefixes[a].token[common.first]
                if self._readings[a].tokenizer != self._readings[b].tokenizer:
                    theirs = self._read_prefixes[b].token[common.second]
                    ids = ids * (int(theirs.max(initial=0)) + 1) + theirs
                found[a, b] = found[b, a] = np.unique(ids, return_inverse=True)[1]
        return found

    def _limit(self, i: int, j: int) -> int:
        """How many of the common prefixes of two sets' readings both have come to."""
        if self._own[i] == self._own[j]:
            return min(self._ends[i], self._ends[j])
        if self._own[i] > self._own[j]:
            i, j = j, i
        common = self._shared(self._own[i], self._own[j])
        return int(min(np.searchsorted(common.first, self._ends[i]), np.searchsorted(common.read, self._ends[j])))

    def _shared(self, a: int, b: int) -> _Common:
        assert a <= b, "kept once"
        if (a, b) not in self._common:
            one, other = self._read_prefixes[a], self._read_prefixes[b]
            if a == b:
                every = np.arange(len(one.document))
                self._common[a, b] = _Common(every, every, every)
            else:
                document, start, last = (np.concatenate([one[field], other[field]]) for field in range(3))
                keys = packed(document, start, last)
                n = len(one.document)
                _, first, second = np.intersect1d(keys[:n], keys[n:], assume_unique=True, return_indices=True)
                order = np.argsort(first)
                second = second[order]
                self._common[a, b] = _Common(first[order], second, np.maximum.accumulate(second))
        return self._common[a, b]

    def _place(self, own: int, other: int, where: np.ndarray) -> np.ndarray:
        """Which of the common prefixes of two readings each label of one of them is, from where it stands; -1: none."""
        if own == other:
            return where
        common = self._shared(min(own, other), max(own, other))
        standing = common.first if own < other else common.second
        place = np.full(len(self._read_prefixes[own].document), -1)
        place[standing] = np.arange(len(standing))
        return place[where]

    def _end(self, one: LabelSet, own: int, where: np.ndarray) -> int:
        """How many prefixes of its reading a set has read; its own labels have been read in any case."""
        read = self._read_prefixes[own]
        if one.tokens is not None:
            end = int(np.searchsorted(read.tokens_before, one.tokens))
        elif one.windows_read is not None:
            end = int(np.searchsorted(read.windows_before, one.windows_read))
        else:
            end = 0
        return max(end, int(where.max()) + 1)

    def _found(self, one: LabelSet, numbers: Mapping[str, int]) -> np.ndarray:
        """Where each label stands among the prefixes of its reading. Raises UserError when one stands nowhere."""
        read = self._read_prefixes[self._readings.index(one.reading)]
        document = np.array([numbers.get(name, -1) for name in one.documents], np.int64)[one.document]
        n = len(one)
        keys = packed(
            np.concatenate([document, read.document]) + 1,
            np.concatenate([one.window_start, read.window_start]),
            np.concatenate([one.last, read.last]),
        )
        order = np.argsort(keys[n:])
        place = np.searchsorted(keys[n:], keys[:n], sorter=order)
        hit = place < len(order)
        hit[hit] = keys[n:][order[place[hit]]] == keys[:n][hit]
        if not hit.all():
            raise UserError(
                f"{int((~hit).sum())} of the {n} labels of {one.name} do not occur in the text of its corpus as its "
                "tokenizer reads it; check it with itda library verify."
            )
        return order[place]


def comparability(
    sets: Sequence[LabelSet], corpus: Corpus | None, tokenizers: Mapping[str, PreTrainedTokenizerBase] | None
) -> Comparability:
    """Exact where corpus and tokenizers (by fingerprint) are at hand, else estimated. Raises UserError as both do."""
    if corpus is None or tokenizers is None:
        return EstimatedComparability(sets)
    return ExactComparability(sets, corpus, tokenizers)
