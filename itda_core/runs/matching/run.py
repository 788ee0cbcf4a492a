"""Matching the layers of several models."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from itda_core.comparison.matching.accuracy import same_layers
from itda_core.figures_as_text import figure
from itda_core.files.csv_export import csv_text
from itda_core.runs.costs.model_figures import model_figures
from itda_core.runs.home import checkpoints_folder
from itda_core.runs.layers import format_layers
from itda_core.runs.matching.request import MatchRequest
from itda_core.runs.units import duration

if TYPE_CHECKING:
    from itda_core.comparison.matching.study import MatchProgress
    from itda_core.comparison.matching.table import MatchTable

_IN_MEMORY = 0.25  # of the free memory: activations that need less stay there
COLUMNS = ("measure", "all pairs", "different models", "95% interval", "seconds")


def match_models(
    request: MatchRequest, *, on_step: Callable[[str], None] = lambda _: None
) -> Generator[MatchProgress, None, None]:
    """`comparison.match` of what `request` names. Raises UserError as that does, and for a corpus that cannot be read.

    Models that are not there, or whose depths do not fit together, are refused before the first is loaded.
    """
    from itda_core.comparison.matching.study import match
    from itda_core.machine.host_memory import host_memory
    from itda_core.models.folder.model_folder import model_folder
    from itda_core.text import Corpus

    specs = request.specs()
    on_step("finding the models")
    for spec in specs:
        model_folder(spec)
    figures = [found for spec in specs if (found := model_figures(spec)) is not None]
    layers = same_layers([spec.name for spec in specs], [found.n_layers for found in figures], request.layers)
    needed = sum((request.config.tokens or 0) * len(layers) * found.d_model * 4 for found in figures)
    on_step("opening the corpus")
    corpus = Corpus.open(request.corpus)
    yield from match(
        specs,
        corpus,
        request.config,
        layers=request.layers,
        site=request.site,
        measures=request.measures,
        anchors=request.anchors,
        folder=None if needed < _IN_MEMORY * host_memory().free else checkpoints_folder() / "match",
    )


def rows(table: MatchTable) -> list[tuple[str, str, str | None, str | None, str]]:
    """The table for people, one row per measure, see COLUMNS."""
    found = []
    for measure in table.measures:
        accuracy = measure.accuracy
        different, interval = accuracy.different_models, accuracy.interval
        found.append(
            (
                measure.name,
                f"{accuracy.all_pairs:.3f}",
                None if different is None else f"{different:.3f}",
                None if interval is None else f"{figure(interval[0], '.2f')} to {figure(interval[1], '.2f')}",
                f"{measure.seconds:.1f}",
            )
        )
    return found


def remarks(table: MatchTable) -> list[str]:
    """The sentences that explain the table."""
    first = table.measures[0].accuracy
    sentences = [
        f"{table.tokens:,} tokens of {table.corpus}, {table.site}, layers {format_layers(table.layers)}; running the "
        f"models took {duration(table.harvest_seconds)}, everything {duration(table.seconds)}.",
        f"All pairs: {first.decisions_all_pairs} decisions, a model against itself among them; different models: "
        f"{first.decisions_different_models}. By chance a share of {1 / len(table.layers):.2f} would be right.",
        "The intervals assume independent decisions; those of one model are not independent.",
    ]
    if table.sizes:
        sizes = [size for one in table.sizes for size in one]
        sentences.append(f"The dictionaries have {min(sizes):,} to {max(sizes):,} atoms.")
    if table.sinks_left_out:
        sentences.append(f"{table.sinks_left_out:,} attention sinks were left out.")
    return sentences


def similarities_csv(table: MatchTable) -> str:
    """Every similarity of every measure, one a line."""
    lines: list[tuple[object, ...]] = []
    for measure in table.measures:
        for model, others in zip(table.models, measure.similarity, strict=True):
            for other, values in zip(table.models, others, strict=True):
                for layer, row in zip(table.layers, values, strict=True):
                    for other_layer, value in zip(table.layers, row, strict=True):
                        lines.append((measure.name, model, layer, other, other_layer, value))
    return csv_text(("measure", "model", "layer", "other_model", "other_layer", "similarity"), lines)
