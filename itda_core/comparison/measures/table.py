"""Which measures of similarity there are, known without loading any. Whatever lists, checks or runs them reads this.

A new measure is a file that computes it, and a row here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from itda_core.errors import UserError

ANCHORS = 512  # tokens that others are described by, in relative representations and soft codes


@dataclass(frozen=True)
class Measure:
    """A similarity of every two sites of several models."""

    name: str  # in commands, files and tables
    title: str
    asks: str  # for people, what it asks of two sites
    source: str | None  # None: it is our own
    needs: Literal["dictionaries", "activations", "covariances"]  # beside what all models have read; see `compute`
    step: str  # what a study is doing while it computes this; measures of covariances are computed together
    compute: str  # where it is, as pkgutil.resolve_name reads it: a pairwise.PairMeasure where it needs covariances,
    # otherwise a function that takes a representations.Compared and returns (n_places, n_places) float64
    anchored: bool = False  # whether it describes every token by its cosines to the anchors
    decomposes: bool = False  # whether it takes singular values or solves systems as wide as the model

    @property
    def caption(self) -> str:
        """What it asks, with its source."""
        return self.asks if self.source is None else f"{self.asks} ({self.source})"


_HERE = "itda_core.comparison.measures"
_COVARIANCES = "covariances"
TABLE = (
    Measure(
        name="itda",
        title="ITDA (Jaccard)",
        asks="which places in the text both dictionaries are labelled with",
        source="Leask 2025",
        needs="dictionaries",
        step="Jaccard of the dictionaries",
        compute=f"{_HERE}.dictionary_overlap:dictionary_overlap",
    ),
    Measure(
        name="itda_codes",
        title="Soft codes (ours)",
        asks="how alike every other token's nearness to the tokens of 512 atoms is",
        source=None,
        needs="dictionaries",
        step="soft codes",
        compute=f"{_HERE}.soft_codes:soft_codes",
        anchored=True,
    ),
    Measure(
        name="linear_cka",
        title="Linear CKA",
        asks="how alike the tokens' similarities to each other are",
        source="Kornblith 2019",
        needs="covariances",
        step=_COVARIANCES,
        compute=f"{_HERE}.cka:LinearCka",
    ),
    Measure(
        name="svcca",
        title="SVCCA",
        asks="how well the main directions of both can be matched linearly",
        source="Raghu 2017",
        needs="covariances",
        step=_COVARIANCES,
        compute=f"{_HERE}.svcca:Svcca",
        decomposes=True,
    ),
    Measure(
        name="relative",
        title="Relative",
        asks="how alike each token's cosines to the same anchor tokens are",
        source="Moschella 2022",
        needs="activations",
        step="relative representations",
        compute=f"{_HERE}.relative:relative_to_anchors",
        anchored=True,
    ),
    Measure(
        name="linear_regression",
        title="Linear regression R²",
        asks="how much of the one a linear map of the other explains",
        source="Kornblith 2019",
        needs="covariances",
        step=_COVARIANCES,
        compute=f"{_HERE}.regression:LinearRegression",
        decomposes=True,
    ),
)
MEASURES = tuple(measure.name for measure in TABLE)


def measure_named(name: str) -> Measure | None:
    """The row of that name; None for one that this version does not know."""
    return next((measure for measure in TABLE if measure.name == name), None)


def check_measures(names: Iterable[str]) -> None:
    """Raises UserError for a measure that does not exist, and where none was chosen."""
    names = list(names)
    if unknown := sorted(set(names) - set(MEASURES)):
        raise UserError(f"Measure {unknown[0]!r} does not exist; choose among {', '.join(MEASURES)}.")
    if not names:
        raise UserError(f"No measure was chosen; choose among {', '.join(MEASURES)}.")


def steps() -> list[tuple[str, list[Measure]]]:
    """What a study does one after the other, each with the measures that come of it."""
    order = list(dict.fromkeys(measure.step for measure in TABLE))
    rows = sorted(TABLE, key=lambda measure: order.index(measure.step))
    return [(step, list(measures)) for step, measures in groupby(rows, key=lambda measure: measure.step)]
