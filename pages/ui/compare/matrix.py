"""The compare page's heatmap: whether things can be compared at all, then every two of them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pandas as pd
import streamlit as st

from itda_core.comparison import JaccardMatrix, LabelSet
from itda_core.comparison.overlap.jaccard_report import CELL_COLUMNS, labels_and_atoms, sentences
from itda_core.comparison.overlap.jaccard_report import cells as rows_of
from itda_core.errors import UserError
from itda_core.figures import heatmaps
from itda_core.files.csv_export import frame_csv
from itda_core.files.without_paths import without_paths
from itda_core.runs.library import LibraryEntry
from pages.ui.compare.options import MOST_WITH_INTERVAL, Options
from pages.ui.components.heatmap import heatmap as heatmap_of
from pages.ui.components.plain_text import notice
from pages.ui.frame import address, engine, meaning, shell
from pages.ui.frame.address import MARK, Listed, kept_choice

_CELL = "compare.cell"
_CHART = "compare.heatmap"
_ESTIMATED = (
    "Every label counts here, also in text that the other dictionary has never read, so two that share little text "
    "look less alike than they are."
)
_COUNTED = "Choose Counted for the places that both have read."


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
    matrix = engine.jaccard(keys, options.by, options.exact, options.null, options.interval, options.crop)
    sets = engine.label_sets(keys, options.by)
    groups = tuple(one.specs[0].model for one in sets) if options.by == "dictionary" else ()
    return Compared(keys, tuple(entries), options, sets, matrix, groups)


def text_to_count(entries: Sequence[LibraryEntry]) -> int | None:
    """Tokens of text to be read to count what is comparable; None where it lies elsewhere. 0 where `entries` cannot be
    read, which `compared` says.
    """
    try:
        return engine.text_to_count(tuple(engine.key_of(entry.path) for entry in entries))
    except UserError:
        return 0


def comparability(found: Compared) -> None:
    """One line: what makes the figures comparable, and how much of the text is."""
    notice(comparability_line(found), key="compare.comparable")
    options = found.options
    note = engine.comparability(found.keys, options.by, options.exact, options.must).note
    if note:
        notice(note, kind="info", step=_ESTIMATED, key="compare.not_counted")
    elif not found.matrix.exact:
        notice(_ESTIMATED, step=_COUNTED, key="compare.estimated")
    if len(found.entries) > MOST_WITH_INTERVAL:
        notice(f"Intervals are left out for more than {MOST_WITH_INTERVAL} dictionaries.", key="compare.many")


def comparability_line(found: Compared) -> str:
    """How many, of which corpus, read how; then what belongs to every figure (report.sentences)."""
    sets, matrix = found.sets, found.matrix
    readings = {one.reading for one in sets}
    tokenizers = len({reading.tokenizer for reading in readings})
    spans = sorted({f"{reading.windows} windows of {reading.context} tokens" for reading in readings})
    sizes = " to ".join(dict.fromkeys(f"{size:,}" for size in (matrix.sizes.min(), matrix.sizes.max())))
    what = "dictionaries" if found.options.by == "dictionary" else "models"
    words = (
        f"{len(sets)} {what} of the corpus {sets[0].specs[0].corpus}, {sizes} labels each; "
        f"{'one tokenizer' if tokenizers == 1 else f'{tokenizers} tokenizers'}, {', '.join(spans)}."
    )
    of_all = 2 + (matrix.uncropped is not None)  # what follows is told of the cell
    return " ".join(filter(None, [words, labels_and_atoms(sets), *islice(sentences(matrix), of_all)]))


def terminal(found: Compared) -> None:
    """The same comparison as a line for a terminal."""
    options = found.options
    words = ["itda", "compare", *(entry.name for entry in found.entries)]
    words += ["--by", options.by] if options.by != "dictionary" else []
    words += ["--null", options.null] if options.null != "uniform" else []
    words += ["--crop"] if options.crop else []
    words += [] if options.interval else ["--no-interval"]
    with st.expander("The same in a terminal", icon=":material/terminal:"):
        st.code(shlex.join(words), language=None, wrap_lines=True)
        if not found.matrix.exact:
            st.caption("There, labels are counted where both have read; --corpus PATH says where the corpus lies.")


def arrive_cell(found: Compared, asked: str | None) -> tuple[int, int]:
    """The cell of `?cell=`; without one the most alike of two different models, or of any two.

    asked: a dictionary whose row it is to be in, if it has one.
    """
    labels = found.matrix.labels
    default = _striking(found, asked)

    def parse(text: str) -> Listed:
        for at in (i for i, sign in enumerate(text) if sign == MARK):  # a model's name may hold the mark
            one, two = meaning.called_now(text[:at]), meaning.called_now(text[at + 1 :])
            if one in labels and two in labels:
                return Listed((one, two))
        raise address.Refused("names no two of what is compared")

    given = address.query.get("cell")
    if given is not None and given == st.session_state.get(_CELL + ".shown"):
        try:
            parse(given)
        except address.Refused:
            address.query.pop("cell", None)  # other things are compared now
    address.arrive("cell", _CELL, parse, default, within=labels)
    chosen: Listed = st.session_state[_CELL]
    address.leave("cell", _CELL, chosen, default)
    st.session_state[_CELL + ".shown"] = str(chosen)
    return labels.index(chosen[0]), labels.index(chosen[1])


def _striking(found: Compared, asked: str | None) -> Listed:
    values = found.matrix.jaccard.copy()
    np.fill_diagonal(values, -1)
    if len(set(found.groups)) > 1:
        groups = np.array(found.groups, dtype=object)
        values[groups[:, None] == groups] = -1
    if asked in found.matrix.labels:
        values[[label != asked for label in found.matrix.labels]] = -1
    i, j = np.unravel_index(int(values.argmax()), values.shape)
    return Listed((found.matrix.labels[int(i)], found.matrix.labels[int(j)]))


def heatmap(found: Compared, chosen: tuple[int, int]) -> None:
    """The matrix; a click on a cell brings what is behind it."""
    labels = found.matrix.labels
    colours = kept_choice(
        "Colours",
        "colours",
        {"chance": "From chance up", "fixed": "0 to 100%", "z": "z"},
        key="compare.colours",
        help="From chance up: the palest colour is what chance gives, the darkest the largest value between two "
        "different dictionaries; a dictionary beside itself is grey. z counts standard deviations above chance.",
    )

    def picked(row: int, column: int) -> None:
        st.session_state[_CELL] = Listed((labels[row], labels[column]))

    heatmap_of(cells(found, colours), key=_CHART, file="jaccard", chosen=chosen, on_pick=picked)


def cells(found: Compared, colours: str = "chance") -> heatmaps.Cells:
    """The heatmap's cells; colours: by which figure they are coloured."""
    return heatmaps.jaccard_cells(found.matrix, colours=colours, groups=found.groups)


def exports(found: Compared, passages: Callable[[], Sequence[heatmaps.Passages]]) -> shell.Files:
    """The matrix, to take along; `passages` are the labels of the chosen cell."""

    told = _shared(found)

    def page() -> str:
        return heatmaps.comparison_page(
            cells(told),
            title="Dictionaries compared by their labels (Jaccard, percent)",
            facts=[without_paths(comparability_line(told))],
            passages=passages(),
        )

    return {
        "Matrix (CSV)": ("jaccard.csv", "text/csv", lambda: csv(told.matrix)),
        "Every pair (CSV)": ("jaccard-pairs.csv", "text/csv", lambda: pairs_csv(told.matrix)),
        "All figures (JSON)": ("jaccard.json", "application/json", lambda: figures_json(told.matrix, told.entries)),
        "Web page (works offline)": ("jaccard.html", "text/html", page),
    }


def _shared(found: Compared) -> Compared:
    """The same without where anything lies on this machine: what is compared may be called after a model's folder."""
    names = [without_paths(name) for name in found.matrix.labels]
    apart = (name if names.count(name) == 1 else f"{name} ({i + 1})" for i, name in enumerate(names))
    return replace(found, matrix=replace(found.matrix, labels=tuple(apart)))


def csv(matrix: JaccardMatrix) -> str:
    """The Jaccard values, a row and a column per set."""
    frame = pd.DataFrame(matrix.jaccard, index=pd.Index(matrix.labels, name="jaccard"), columns=list(matrix.labels))
    return frame_csv(frame, index=True)


def pairs_csv(matrix: JaccardMatrix) -> str:
    """Every figure of every pair, a row each, as `itda compare --csv` writes it."""
    return frame_csv(pd.DataFrame(rows_of(matrix), columns=list(CELL_COLUMNS)))


def figures_json(matrix: JaccardMatrix, entries: Sequence[LibraryEntry]) -> str:
    """What `itda compare --json` prints, and the identity of each dictionary by its name."""
    identities = {entry.name: entry.identity for entry in entries}
    return json.dumps({**matrix.to_dict(), "identities": identities}, indent=2, ensure_ascii=False)
