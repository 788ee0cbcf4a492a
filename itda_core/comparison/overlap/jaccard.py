"""Jaccard similarity of dictionaries: the share of all labelled positions that both are labelled with (paper, 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from itda_core.arguments import plain
from itda_core.comparison.label_sets import Labelled, LabelSet
from itda_core.comparison.overlap import chance
from itda_core.comparison.overlap.bootstrap import Bootstrap
from itda_core.comparison.overlap.comparability import Comparability, comparability
from itda_core.comparison.overlap.crop import Cropped
from itda_core.comparison.overlap.incidence import Incidence
from itda_core.text.corpus import Corpus

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, eq=False)
class JaccardMatrix:
    """Every two of n label sets compared. Matrices are (n, n); row i and column j are sets i and j.

    Labels that are not comparable (module comparable) are left out of each pair: |A| + |B| - |A and B| = |A or B| holds
    with A and B as in `comparable_sizes`.
    """

    labels: tuple[str, ...]
    sizes: np.ndarray  # (n,) int64, labels of each set, comparable or not
    intersection: np.ndarray  # int64
    union: np.ndarray  # int64
    jaccard: np.ndarray  # float64, 0 to 1
    comparable_fraction: np.ndarray  # of the prefixes either has read, how many are comparable; NaN: not known
    comparable_prefixes: np.ndarray  # float64; NaN: not known
    comparable_sizes: np.ndarray  # int64, labels of set i that are comparable with set j
    exact: bool  # whether the corpus was read to see what is comparable; else every label counts
    null: str  # one of chance.NULLS
    null_jaccard: np.ndarray  # expected by chance; NaN: not known
    null_sd: np.ndarray  # its standard deviation
    z: np.ndarray  # (jaccard - null_jaccard) / null_sd; NaN where chance does not vary
    low: np.ndarray | None = None  # bootstrap interval over documents; None: not asked for
    high: np.ndarray | None = None
    level: float | None = None  # of that interval
    crop: bool = False  # whether each pair was cut to the size of the smaller set
    uncropped: JaccardMatrix | None = None  # the same without that
    bootstrap: Bootstrap | None = field(default=None, repr=False)

    def told_apart(self, row: int, columns: Sequence[int] | None = None) -> list[int]:
        """Which of `columns` (all but `row` itself) cannot be told from the largest cell among them in that row.

        Two cells cannot be told apart when the bootstrap interval of their difference, over the same resamples of
        documents, holds 0. The largest one itself is not among them. Only with intervals.
        """
        assert self.bootstrap is not None, "asked for with interval=True"
        among = [j for j in (range(len(self.labels)) if columns is None else columns) if j != row]
        return self.bootstrap.like_the_largest(row, among, self.jaccard[row])

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the keys of `itda compare --json`, then further ones. What is not known is None."""
        found: dict[str, Any] = {
            "labels": list(self.labels),
            "sizes": self.sizes.tolist(),
            "jaccard": self.jaccard.tolist(),
            "intersection": self.intersection.tolist(),
            "comparable_fraction": _known(self.comparable_fraction),
            "null_jaccard": _known(self.null_jaccard),
            "z": _known(self.z),
            "union": self.union.tolist(),
            "comparable": "exact" if self.exact else "estimated",
            "comparable_prefixes": _known(self.comparable_prefixes),
            "comparable_sizes": self.comparable_sizes.tolist(),
            "null": self.null,
            "null_sd": _known(self.null_sd),
            "low": None if self.low is None else self.low.tolist(),
            "high": None if self.high is None else self.high.tolist(),
            "level": self.level,
            "cannot_be_told_from_the_largest": None,
            "crop": self.crop,
            "uncropped_jaccard": None if self.uncropped is None else self.uncropped.jaccard.tolist(),
        }
        if self.bootstrap is not None:
            found["cannot_be_told_from_the_largest"] = [self.told_apart(i) for i in range(len(self.labels))]
        return found


def jaccard(one: Labelled | LabelSet | str | Path, two: Labelled | LabelSet | str | Path) -> float:
    """|A and B| / |A or B| of the prefixes that two dictionaries (or the folders of such) have labels at, 0 to 1.

    All labels count; what only one of the models has read or can read is left out by `jaccard_matrix` with a corpus.
    Raises UserError when the dictionaries are of different corpora, or no prefix was read by both models.
    """
    sets = [given if isinstance(given, LabelSet) else LabelSet.of(_loaded(given)) for given in (one, two)]
    return float(jaccard_matrix(sets).jaccard[0, 1])


def _loaded(given: Labelled | str | Path) -> Labelled:
    from itda_core.dictionaries.dictionary import AtomDictionary

    return AtomDictionary.load(given) if isinstance(given, (str, Path)) else given


def jaccard_matrix(
    sets: Sequence[LabelSet],
    *,
    corpus: Corpus | str | Path | None = None,
    tokenizers: Mapping[str, PreTrainedTokenizerBase] | None = None,
    comparable: Comparability | None = None,
    null: str = "uniform",
    interval: bool = False,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    crop: bool = False,
) -> JaccardMatrix:
    """Every two of `sets` compared.

    - `corpus` and `tokenizers` (by fingerprint, one for every set): comparable prefixes are counted in the text, and
      labels that are not comparable are left out; without them every label counts, and how many prefixes there were to
      choose from is taken from the trainings, as far as they say it. `comparable`: the same, made before;
    - `null`: the chance level, one of chance.NULLS; "token" needs the corpus;
    - `interval`: bootstrap intervals of `level` over documents, from `resamples` resamples drawn by `seed`;
    - `crop`: of each two sets only the first n comparable labels that entered, n the size of the smaller; the matrix
      without that is in `uncropped`.

    Raises UserError when there are fewer than two sets, when corpora differ, when nothing of two sets is comparable,
    and for an unknown `null`, `level` or number of resamples.
    """
    level, resamples, seed = plain(level), plain(resamples), plain(seed)
    corpus = None if corpus is None else Corpus.of(corpus)
    chance.check_null(null)
    comparable = comparability(sets, corpus, tokenizers) if comparable is None else comparable
    shared = Incidence.of(sets, with_documents=interval)
    found = _matrix(sets, comparable, comparable.sizes(), shared.intersections(), null)
    if interval:
        found = _sure(found, Bootstrap(sets, comparable.labels, shared.by_document, level, resamples, seed))
    if not crop:
        return found
    cut = Cropped(sets, comparable)
    found = replace(_matrix(sets, comparable, cut.sizes, cut.intersection, null, cut), crop=True, uncropped=found)
    if interval:
        found = _sure(found, Bootstrap(sets, cut.labels, cut.by_document, level, resamples, seed))
    return found


def _matrix(
    sets: Sequence[LabelSet],
    comparable: Comparability,
    sizes: np.ndarray,
    intersection: np.ndarray,
    null: str,
    cut: Cropped | None = None,
) -> JaccardMatrix:
    """sizes: (n, n), labels of set i that count beside set j; intersection: (n, n), its diagonal not looked at."""
    np.fill_diagonal(intersection, np.diag(sizes))
    union = sizes + sizes.T - intersection
    values = np.divide(intersection, union, out=np.zeros(union.shape), where=union > 0)
    expected, spread, z = (np.full(values.shape, np.nan) for _ in range(3))
    for i in range(len(sets)):
        for j in range(i, len(sets)):
            level = _chance(comparable, i, j, int(sizes[i, j]), int(sizes[j, i]), null, cut)
            if level is not None:
                expected[i, j] = expected[j, i] = level.jaccard
                spread[i, j] = spread[j, i] = level.sd
                z[i, j] = z[j, i] = level.z(values[i, j])
    return JaccardMatrix(
        labels=tuple(one.name for one in sets),
        sizes=np.array([len(one) for one in sets]),
        intersection=intersection,
        union=union,
        jaccard=values,
        comparable_fraction=comparable.fraction,
        comparable_prefixes=comparable.prefixes,
        comparable_sizes=sizes,
        exact=comparable.exact,
        null=null,
        null_jaccard=expected,
        null_sd=spread,
        z=z,
    )


def _chance(
    comparable: Comparability, i: int, j: int, first: int, second: int, null: str, cut: Cropped | None
) -> chance.Chance | None:
    """None where it is not known how many prefixes there were to choose from."""
    if null == "token":
        labels = comparable.labels if cut is None else cut.labels
        return chance.given_tokens(comparable.token_counts(i, j, labels(i, j), labels(j, i)))
    n_prefixes = comparable.population[i, j]
    if np.isnan(n_prefixes) or n_prefixes < max(first, second):  # a training may record fewer tokens than it had labels
        return None
    return chance.uniform(int(n_prefixes), first, second)


def _sure(matrix: JaccardMatrix, bootstrap: Bootstrap) -> JaccardMatrix:
    low, high = bootstrap.interval()
    return replace(matrix, low=low, high=high, level=bootstrap.level, bootstrap=bootstrap)


def _known(values: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(value) else value for value in row] for row in values.tolist()]
