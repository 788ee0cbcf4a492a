"""Measures that compare two sites by their covariances, for all pairs of many sites at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from itda_core.comparison.measures.moments import Covariances, spread

P = TypeVar("P")


class PairMeasure(Protocol[P]):
    """A measure of similarity. `P`: what it needs to know of one site."""

    name: str

    def prepare(self, covariance: Tensor) -> P:
        """covariance: (width, width) float64 of one site."""
        ...

    def between(self, one: P, two: P, covariance: Tensor) -> tuple[float, float]:
        """The similarity seen from `one`, and seen from `two`; covariance: (width of one, width of two) float64."""
        ...


class Similarities(NamedTuple):
    """What a measure says of all pairs of sites."""

    matrix: Tensor  # (n_sites, n_sites) float64; entry (i, j) is seen from i
    seconds: float  # of the measure, that of the covariances left out


def similarities(
    covariances: Covariances, measures: Sequence[PairMeasure[Any]], names: Sequence[str]
) -> list[Similarities]:
    """`measures` of all pairs of sites, in one pass over the covariances.

    Raises UserError, naming the site by `names`, for one whose activations are constant.
    """
    seconds = [0.0] * len(measures)
    prepared: list[list[Any]] = [[] for _ in measures]
    for name, (mean, covariance) in zip(names, covariances.own(), strict=True):
        spread(covariance, mean, name)
        for number, measure in enumerate(measures):
            begun = time.perf_counter()
            prepared[number].append(measure.prepare(covariance))
            seconds[number] += time.perf_counter() - begun
    matrices = [torch.zeros(len(names), len(names), dtype=torch.float64) for _ in measures]
    for i, j, covariance in covariances:
        for number, (measure, sites) in enumerate(zip(measures, prepared, strict=True)):
            begun = time.perf_counter()
            seen = measure.between(sites[i], sites[j], covariance)
            matrices[number][i, j], matrices[number][j, i] = seen
            seconds[number] += time.perf_counter() - begun
    return [Similarities(matrix, spent) for matrix, spent in zip(matrices, seconds, strict=True)]
