"""A Jaccard matrix in words and rows, for people and for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from itda_core.comparison.label_sets import LabelSet
from itda_core.comparison.overlap.jaccard import JaccardMatrix
from itda_core.figures_as_text import figure

CELL_COLUMNS = (
    *("one", "two", "jaccard", "low", "high", "intersection", "union", "size_one", "size_two", "comparable_one"),
    *("comparable_two", "comparable_fraction", "comparable_prefixes", "null_jaccard", "null_sd", "z"),
)


def cells(matrix: JaccardMatrix) -> Iterator[tuple[object, ...]]:
    """One row per pair of sets, each pair once, in the order of CELL_COLUMNS; None where there is no figure."""
    n = len(matrix.labels)
    for i in range(n):
        for j in range(i + 1, n):
            yield (
                matrix.labels[i],
                matrix.labels[j],
                float(matrix.jaccard[i, j]),
                None if matrix.low is None else float(matrix.low[i, j]),
                None if matrix.high is None else float(matrix.high[i, j]),
                int(matrix.intersection[i, j]),
                int(matrix.union[i, j]),
                int(matrix.sizes[i]),
                int(matrix.sizes[j]),
                int(matrix.comparable_sizes[i, j]),
                int(matrix.comparable_sizes[j, i]),
                _known(matrix.comparable_fraction[i, j]),
                _known(matrix.comparable_prefixes[i, j]),
                _known(matrix.null_jaccard[i, j]),
                _known(matrix.null_sd[i, j]),
                _known(matrix.z[i, j]),
            )


def sentences(matrix: JaccardMatrix) -> Iterator[str]:
    """The notes for every figure of the matrix: how much is comparable, chance, which cells are tied."""
    pairs = np.triu_indices(len(matrix.labels), 1)
    yield _comparability(matrix, pairs)
    yield _chance(matrix, pairs)
    if matrix.uncropped is not None:
        change = matrix.jaccard[pairs] - matrix.uncropped.jaccard[pairs]
        yield (
            "Each pair counts as many labels as its smaller set has, the first that entered; that changes Jaccard "
            f"by {figure(change.min() * 100, '+.1f')} to {figure(change.max() * 100, '+.1f')} points."
        )
    if matrix.bootstrap is not None and matrix.level is not None:
        assert matrix.low is not None, "they come together"
        assert matrix.high is not None, "they come together"
        width = (matrix.high - matrix.low)[pairs]
        yield (
            f"The {matrix.level:.0%} intervals (bootstrap over documents) are {width.min() * 100:.1f} to "
            f"{width.max() * 100:.1f} points wide."
        )
        yield from alike(matrix)


def labels_and_atoms(sets: Sequence[LabelSet]) -> str:
    """What is counted of dictionaries whose atoms have several labels, in a sentence; "" where there are none."""
    several = [
        f"{one.name} has {len(one):,} labels of {one.n_atoms:,} atoms"
        for one in sets
        if one.n_atoms is not None and len(one) > one.n_atoms
    ]
    return f"Every label counts, also where an atom has several: {', '.join(several)}." if several else ""


def alike(matrix: JaccardMatrix) -> Iterator[str]:
    """For each row, a sentence on the cells that are statistically tied with its largest, where there are any."""
    n = len(matrix.labels)
    for i in range(n if n > 2 else 0):
        if same := matrix.told_apart(i):
            best = max((j for j in range(n) if j != i), key=lambda j: matrix.jaccard[i, j])
            named = ", ".join(matrix.labels[j] for j in same)
            yield (
                f"{matrix.labels[i]} is most like {matrix.labels[best]} ({matrix.jaccard[i, best]:.1%}), statistically "
                f"tied with {named} ({matrix.level:.0%} intervals)."
            )


def _comparability(matrix: JaccardMatrix, pairs: tuple[np.ndarray, ...]) -> str:
    fraction = matrix.comparable_fraction[pairs]
    known = fraction[~np.isnan(fraction)]
    if not len(known):
        return "The number of comparable prefixes is unknown without the corpus; every label counts."
    unknown = "" if len(known) == len(fraction) else f"; {len(fraction) - len(known)} pairs: not known"
    share = "The two share {} of their text" if len(fraction) == 1 else "Each pair shares {} of its text"
    return f"{share.format(percent_range(known))} ({'counted' if matrix.exact else 'estimated'}{unknown})."


def _chance(matrix: JaccardMatrix, pairs: tuple[np.ndarray, ...]) -> str:
    expected, z = matrix.null_jaccard[pairs], matrix.z[pairs]
    expected, z = expected[~np.isnan(expected)], z[~np.isnan(z)]
    which = "any prefix as likely as another" if matrix.null == "uniform" else "given how often each holds each token"
    if not len(expected):
        return "The Jaccard expected by chance is unknown without the corpus."
    ends = list(dict.fromkeys(figure(value, ",.0f") for value in (z.min(), z.max()))) if len(z) else []
    side = "above" if len(z) and z.min() >= 0 else "from"  # a minus sign says which are below
    observed = f"; observed: {' to '.join(ends)} standard deviations {side} chance" if ends else ""
    return f"By chance ({which}) Jaccard would be {percent_range(expected)}{observed}."


def percent_range(values: np.ndarray) -> str:
    """From the smallest to the largest percentage; one figure where both are equal. values: any shape, not empty."""
    low, high = (f"{value:.1%}".replace("100.0%", "100%") for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
