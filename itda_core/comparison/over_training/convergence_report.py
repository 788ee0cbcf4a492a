"""Convergence over training in words and rows, for people and for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from itda_core.comparison.over_training.convergence import Convergence
from itda_core.comparison.overlap.jaccard_report import percent_range
from itda_core.files.csv_export import csv_text

COLUMNS = ("checkpoint", "layer", "jaccard", "low", "high", "comparable_fraction", "null_jaccard", "z")
SETTLED = 0.5  # Jaccard with the end from which on a layer counts as settled


def sentences(found: Convergence) -> Iterator[str]:
    """When each layer settles, how much is comparable, and what chance would give."""
    yield settled(found)
    fraction, expected = (
        values[:-1][~np.isnan(values[:-1])] for values in (found.comparable_fraction, found.null_jaccard)
    )
    if len(fraction):
        yield f"Each checkpoint shares {percent_range(fraction)} of its text with the last one (estimated)."
    else:
        yield "The number of comparable prefixes is unknown without the corpus; every label counts."
    if len(expected):
        yield f"By chance Jaccard would be {percent_range(expected)}."
    else:
        yield "The Jaccard expected by chance is unknown without the corpus."


def settled(found: Convergence) -> str:
    """From which checkpoint on each layer has half of its labels in common with the last one's dictionary."""
    names = dict(zip(found.checkpoints, found.names, strict=True))
    words = [
        f"layer {layer} {'only at the end' if at is None else f'from {names[at]}'}"
        for layer, at in zip(found.layers, found.reached(SETTLED), strict=True)
    ]
    return f"Jaccard of at least {SETTLED:.0%} with the end ({found.names[-1]}): {', '.join(words)}."


def to_csv(found: Convergence) -> str:
    """A row per checkpoint and layer with the columns COLUMNS; empty where there is no figure."""
    rows: list[tuple[object, ...]] = []
    for row, name in enumerate(found.names):
        for column, layer in enumerate(found.layers):
            figures = (getattr(found, field) for field in COLUMNS[2:])
            cells = (None if values is None else values[row, column] for values in figures)
            rows.append((name, layer, *(None if cell is None or np.isnan(cell) else float(cell) for cell in cells)))
    return csv_text(COLUMNS, rows)
