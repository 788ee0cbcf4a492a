"""An evaluation as a page that opens without network: its charts, its table, what has to be known to read them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from itda_core.analysis.atoms.honesty.grades import DictionaryHonesty
from itda_core.analysis.evaluate import Evaluation
from itda_core.figures import charts, honesty
from itda_core.figures.page import Section, page, side_by_side, table
from itda_core.figures.svg import chart
from itda_core.runs.evaluation.status import EvaluationStatus
from pages.ui.components.printable import visible
from pages.ui.evaluate import results as evaluate_results

_NAMES = ("dictionary", "method", "text", "corpus")


def web_page(
    status: EvaluationStatus, honest: Mapping[str, DictionaryHonesty] = MappingProxyType({}), *, title: str, under: str
) -> str:
    """The whole page, as HTML; honest: what is known of the labels, by the dictionaries' names."""
    results = status.results
    ended = "" if status.state == "done" else "It has not ended, or ended early: each figure is over its row's tokens."
    facts = [under, ended, *map(visible, status.notes), evaluate_results.cost_in_nats(results)]
    facts.append(evaluate_results.not_comparable(results))
    columns, rows = evaluate_results.written(results)
    numbers = [column for column in columns if column not in _NAMES]
    listed = Section(
        "All figures",
        table(columns, rows, numbers=numbers),
        "FVU: fraction of variance unexplained, 0 is perfect. Rise of CE: by how much the model's loss per predicted "
        "token grows with the reconstruction in the activation's place. CE score: the share of what zeros there cost "
        f"that is kept. {evaluate_results.measured_over(results)}",
    )
    return page(title, facts, [_charts(results), listed, *([honesty.section(honest)] if honest else [])])


def _charts(results: tuple[Evaluation, ...]) -> str:
    drawn: list[Section] = []
    headed = any(result.ce_score is not None for result in results)
    for over, words in evaluate_results.varying(results).items():
        drawn.append(Section(f"FVU {words}: lower is better", chart(charts.evaluations(results, "fvu", over))))
        if headed:
            figure = charts.evaluations(results, "ce_score", over)
            drawn.append(Section(f"CE score {words}: higher is better", chart(figure)))
    return side_by_side(drawn)
