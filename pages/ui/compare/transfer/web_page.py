"""A transfer of labels as a page that opens without network: the verdict, the charts, labels by layers, the table."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from itda_core.analysis.centring import relative_error_words
from itda_core.comparison.label_transfer.transfer import TransferTable
from itda_core.errors import UserError
from itda_core.figures import transfers
from itda_core.figures.heatmaps import matrix
from itda_core.figures.page import Section, page, side_by_side, table
from itda_core.figures.svg import chart
from itda_core.figures_as_text import figure
from itda_core.runs.transfer.words import verdict
from pages.ui.compare.transfer import results
from pages.ui.components.printable import visible

_NAMES = ("labels of", "in")
_FORMS = {"gain": ".0%", "usable": ".0%", "L0": ".2f"}
_WHOLE = ("k", "atoms", "own atoms")


def web_page(found: TransferTable) -> str:
    """The whole page, as HTML."""
    told = f"Rebuilt in {found.model}, measured on {found.tokens:,} held-out tokens of {found.held_out}."
    return page("Labels transferred", [visible(told)], [*_at_each_k(found), _listed(found)])


def _at_each_k(found: TransferTable) -> Iterator[Section | str]:
    for k in found.ks:
        try:
            words = visible(verdict(found, k))
        except UserError as error:
            yield Section(f"k = {k}", "", visible(str(error)))
            continue
        yield Section(f"Layer by layer at k = {k}", chart(transfers.fvu_by_layer(found, k)), words)
        if results.has_matrix(found):
            yield side_by_side(
                [
                    Section(f"{word} at k = {k}", matrix(transfers.cells(found, k, results.named_figure(name))))
                    for name, word in results.CELLS.items()
                    if any(getattr(cell, name) is not None for cell in found.at(k))
                ]
            )


def _listed(found: TransferTable) -> Section:
    frame = results.frame_of(found).astype(object)
    rows = [[_written(str(name), value) for name, value in row.items()] for row in frame.to_dict(orient="records")]
    columns = [str(name) for name in frame]
    note = (
        "Gain: from random places (0%) to the model's own dictionary (100%). sd: of the random draws. Relative error: "
        f"{relative_error_words(None)}."
    )
    return Section("All figures", table(columns, rows, numbers=[c for c in columns if c not in _NAMES]), note)


def _written(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, (int, float)) or pd.isna(value):
        return ""
    return f"{value:,.0f}" if name in _WHOLE else figure(value, _FORMS.get(name, ".4f"))
