"""A layer-matching study as a page that opens without network: the table, and every measure's matrix."""

from __future__ import annotations

from itda_core.comparison.matching.table import MatchTable
from itda_core.comparison.measures.table import measure_named
from itda_core.figures.heatmaps import matrix
from itda_core.figures.page import Section, page, side_by_side, table
from itda_core.runs.matching.run import COLUMNS, remarks, rows
from pages.ui.compare.matching import results
from pages.ui.components.printable import visible


def web_page(found: MatchTable) -> str:
    """The whole page, as HTML: of every measure the mean over pairs of models, then all of them."""
    listed = [
        [results.named(name), *("" if cell is None else cell for cell in others)] for name, *others in rows(found)
    ]
    sections: list[Section | str] = [
        Section(
            "How often a layer's most similar layer of another model is the same layer",
            table(COLUMNS, listed, numbers=COLUMNS[1:]),
            "The share of right answers (Kornblith 2019; the paper's table 1). All pairs: each model is matched with "
            "itself too, always rightly. Interval: Wilson's, over different models.",
        ),
        side_by_side([_means(found, number) for number in range(len(found.measures))]),
    ]
    if len(found.models) > 1:
        sections += [
            Section(
                f"{results.named(measure.name)}: all layers of all models", matrix(results.cells(found, measure, False))
            )
            for measure in found.measures
        ]
    return page("Layer matching", [visible(sentence) for sentence in remarks(found)], sections)


def _means(found: MatchTable, number: int) -> Section:
    measure = found.measures[number]
    known = measure_named(measure.name)
    words = "" if known is None else known.caption
    return Section(results.named(measure.name), matrix(results.cells(found, measure, True)), words)
