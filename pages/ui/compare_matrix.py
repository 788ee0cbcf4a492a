"""The compare page's heatmap: whether things can be compared at all, then every two of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from itda_core import comparison_figures
from itda_core.comparison import JaccardMatrix, LabelSet
from itda_core.errors import UserError
from itda_core.runs.library import LibraryEntry
from pages.ui import address, engine
from pages.ui.charts import chart_config
from pages.ui.compare_options import MOST_WITH_INTERVAL, Options
from pages.ui.dictionary_choice import MARK, Listed
from pages.ui.notice import notice

_CELL = "compare.cell"
_CHART = "compare.heatmap"


@dataclass(frozen=True)
class Compared:
    """What was compared, and what came out."""

    keys: tuple[engine.DictionaryKey, ...]
    entries: tuple[LibraryEntry, ...]
    options: Options
    sets: tuple[LabelSet, ...]
    matrix: JaccardMatrix
    groups: tuple[str, ...]  # the model of each set, where each is one dictionary


def compared(entries: Sequence[LibraryEntry], options: Options) -> Compared:
    """Every two of `entries`. Raises UserError, with the reason, where they cannot be compared."""
    keys = tuple(engine.key_of(entry.path) for entry in entries)
    if len(keys) < 2:
        raise UserError(f"A comparison takes at least two dictionaries, not {len(keys)}; choose another.")
    _, by, exact, null, interval, crop = None, options.by, options.exact, options.null, options.interval, options.crop
    matrix = engine.jaccard(keys, by, exact, null, interval, crop)
    sets = engine.label_sets(keys, by)
    groups = tuple(one.specs[0].model for one in sets) if by == "dictionary" else ()
    return Compared(keys, tuple(entries), options, sets, matrix, groups)


def comparability(found: Compared) -> None:
    """One line: what makes the figures comparable, and how much of the text is."""
    notice(comparability_line(found), key="compare.comparable")
    if len(found.entries) > MOST_WITH_INTERVAL:
        notice(f"Intervals are left out for more than {MOST_WITH_INTERVAL} dictionaries.", key="compare.many")


def comparability_line(found: Compared) -> str:
    """Corpus, tokenizers, windows; the share of comparable places; the sizes."""
    sets, matrix = found.sets, found.matrix
    readings = {one.reading for one in sets}
    tokenizers = len({reading.tokenizer for reading in readings})
    spans = sorted({f"{reading.windows} windows of {reading.context} tokens" for reading in readings})
    corpus = sets[0].specs[0].corpus
    parts = [
        f"Same corpus ({corpus}), {'one tokenizer' if tokenizers == 1 else f'{tokenizers} tokenizers'}, "
        f"{', '.join(spans)}."
    ]
    apart = ~np.eye(len(sets), dtype=bool)
    fraction = matrix.comparable_fraction[apart]
    how = "counted in the text" if matrix.exact else "estimated from what the trainings say they read"
    if np.isnan(fraction).all():
        parts.append("How much of the text is comparable is not known; count it in the text.")
    else:
        share = _span(float(np.nanmin(fraction)), float(np.nanmax(fraction)), ".0%")
        parts.append(f"Of what each two have read {share} is comparable ({how}).")
    parts.append(f"{_span(int(matrix.sizes.min()), int(matrix.sizes.max()), ',')} labels each.")
    if matrix.uncropped is not None:
        change = (matrix.jaccard - matrix.uncropped.jaccard)[apart]
        parts.append(f"Cropping to equal size changes Jaccard by {change.min():+.1%} to {change.max():+.1%}.")
    return " ".join(parts).replace("-", "−") if matrix.uncropped is not None else " ".join(parts)


def _span(low: float, high: float, form: str) -> str:
    one, other = format(low, form), format(high, form)
    return one if one == other else f"{one} to {other}"


def arrive_cell(found: Compared) -> tuple[int, int]:
    """The cell of `?cell=`; without one the most alike of two different models, or of any two."""
    labels = found.matrix.labels
    default = _striking(found)

    def parse(text: str) -> Listed:
        for at in (i for i, sign in enumerate(text) if sign == MARK):  # a model's name may hold the mark
            if text[:at] in labels and text[at + 1 :] in labels:
                return Listed((text[:at], text[at + 1 :]))
        raise address.Refused("names no two of what is compared")

    given = st.query_params.get("cell")
    if given is not None and given == st.session_state.get(_CELL + ".shown"):
        try:
            parse(given)
        except address.Refused:
            st.query_params.pop("cell")  # other things are compared now
    address.arrive("cell", _CELL, parse, default, within=labels)
    chosen: Listed = st.session_state[_CELL]
    address.leave("cell", _CELL, chosen, default)
    st.session_state[_CELL + ".shown"] = str(chosen)
    return labels.index(chosen[0]), labels.index(chosen[1])


def _striking(found: Compared) -> Listed:
    values = found.matrix.jaccard.copy()
    np.fill_diagonal(values, -1)
    if len(set(found.groups)) > 1:
        groups = np.array(found.groups, dtype=object)
        values[groups[:, None] == groups] = -1
    i, j = np.unravel_index(int(values.argmax()), values.shape)
    return Listed((found.matrix.labels[int(i)], found.matrix.labels[int(j)]))


def heatmap(found: Compared, chosen: tuple[int, int]) -> None:
    """The matrix; a click on a cell brings what is behind it."""
    labels = found.matrix.labels

    def picked() -> None:
        points = st.session_state[_CHART]["selection"]["points"]
        if points:
            st.session_state[_CELL] = Listed((labels[int(points[0]["y"])], labels[int(points[0]["x"])]))

    st.plotly_chart(
        comparison_figures.heatmap(cells(found), chosen=chosen, dark=is_dark()),
        key=_CHART,
        on_select=picked,
        selection_mode="points",
        config=chart_config("jaccard"),
    )


def cells(found: Compared) -> comparison_figures.Cells:
    return comparison_figures.jaccard_cells(found.matrix, colours=found.options.colours, groups=found.groups)


def is_dark() -> bool:
    return st.context.theme.type == "dark"


def exports(
    found: Compared, passages: Callable[[], Sequence[comparison_figures.Passages]]
) -> dict[str, tuple[str, str, Callable[[], bytes | str]]]:
    """The matrix, to take along; `passages` are the labels of the chosen cell."""

    def page() -> str:
        return comparison_figures.comparison_page(
            cells(found),
            title="Dictionaries compared by their labels (Jaccard, percent)",
            facts=[comparability_line(found)],
            passages=passages(),
        )

    return {
        "Matrix (CSV)": ("jaccard.csv", "text/csv", lambda: csv(found.matrix)),
        "All figures (JSON)": ("jaccard.json", "application/json", lambda: figures_json(found.matrix)),
        "Web page (works offline)": ("jaccard.html", "text/html", page),
    }


def csv(matrix: JaccardMatrix) -> str:
    """The Jaccard values, a row and a column per set."""
    frame = pd.DataFrame(matrix.jaccard, index=pd.Index(matrix.labels, name="jaccard"), columns=list(matrix.labels))
    return frame.to_csv()


def figures_json(matrix: JaccardMatrix) -> str:
    """What `itda compare --json` prints."""
    return json.dumps(matrix.to_dict(), indent=2, ensure_ascii=False)
