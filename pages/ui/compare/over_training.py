"""When in training each layer settles: checkpoints by layers (paper, appendix A.4.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import streamlit as st

from itda_core.comparison.over_training.convergence import Convergence
from itda_core.comparison.over_training.convergence_report import sentences, to_csv
from itda_core.comparison.over_training.demo_checkpoints import CHECKPOINTS, LIST
from itda_core.errors import UserError
from itda_core.figures import heatmaps
from itda_core.figures_as_text import figure
from itda_core.files.without_paths import without_paths
from itda_core.runs.library import LibraryEntry
from pages.ui.compare import choice as compare_choice
from pages.ui.components.heatmap import heatmap
from pages.ui.components.plain_text import notice, problem
from pages.ui.components.printable import visible
from pages.ui.forms import dictionary_choice
from pages.ui.frame import engine, shell
from pages.ui.frame.address import Listed, kept_choice

_DICTIONARIES = "compare.training.dictionaries"


class _Course(NamedTuple):
    """What is shown of a training."""

    found: Convergence
    moments: Mapping[int, engine.TrainingMoment]  # of its checkpoints, where they are known
    said: Sequence[str]  # sentences


def page(frame: shell.Shell) -> None:
    """The checkpoints of a model, each layer's dictionary beside the last one's."""
    sources = {"bundled": "Bundled model 0", "library": "Dictionaries of the library"}
    if not (CHECKPOINTS / LIST).is_file():
        del sources["bundled"]
    of = kept_choice("Checkpoints", "of", sources, key="compare.training.of")
    names = _choose(frame) if of == "library" else Listed()
    shell.complain()
    frame.share({"show": "training", "of": None if of == next(iter(sources)) else of, "dictionaries": names})
    if of == "library" and not names:
        notice(
            "No dictionaries were chosen.",
            step="Train dictionaries of several checkpoints of a model (revisions, or folders) on the same text, and "
            "choose them above.",
            key="compare.training.none",
        )
        return
    try:
        with st.spinner("Comparing…", show_time=True):
            shown = _of_library(frame, names) if of == "library" else _bundled()
    except UserError as error:
        problem(error, key="compare.training.problem")
        return
    if shown.said:
        notice(" ".join(shown.said), key="compare.training.said")
    heatmap(cells(shown.found, shown.moments), key="compare.training", file="convergence")
    notice(" ".join(sentences(shown.found)), key="compare.training.settled")
    frame.export(
        {
            "Convergence (JSON)": (
                "convergence.json",
                "application/json",
                lambda: json.dumps(without_paths(shown.found.to_dict()), indent=2),
            ),
            "Convergence (CSV)": ("convergence.csv", "text/csv", lambda: without_paths(to_csv(shown.found))),
            "Web page (works offline)": ("convergence.html", "text/html", lambda: without_paths(web_page(shown))),
        }
    )


def web_page(shown: _Course) -> str:
    """The course of a training as a page that opens without network."""
    facts = [*shown.said, *sentences(shown.found)]
    title = "Jaccard with the last checkpoint's dictionary of the same layer, percent"
    return heatmaps.comparison_page(cells(shown.found, shown.moments), title=title, facts=list(map(visible, facts)))


def _bundled() -> _Course:
    st.caption(
        "The first bundled model at eight moments of its training, each with a dictionary of every layer grown on the "
        "same text. Each cell: Jaccard with the finished model's dictionary of the same layer (paper, appendix A.4.2)."
    )
    found, moments = engine.convergence()
    return _Course(found, moments, ())


def _of_library(frame: shell.Shell, names: Listed) -> _Course:
    st.caption(
        "Each cell: Jaccard of a checkpoint's dictionary with the last checkpoint's of the same layer (paper, appendix "
        "A.4.2). What is comparable is estimated from the amount of text that each training says it has read."
    )
    by_name = dictionary_choice.by_names(frame.entries)
    found, said = engine.convergence_of(tuple(engine.key_of(by_name[name].path) for name in names))
    return _Course(found, {}, said)


def _choose(frame: shell.Shell) -> Listed:
    by_name = {
        entry.name: entry for entry in compare_choice.ordered(dictionary_choice.by_names(frame.entries).values())
    }
    default = Listed(
        entry.name for entry in compare_choice.ordered(default_entries(frame.chosen, list(by_name.values())))
    )
    return dictionary_choice.choose(
        "Dictionaries",
        by_name,
        default,
        key=_DICTIONARIES,
        help="Choose dictionaries of several checkpoints of one model, built on the same corpus at the same site. "
        "Checkpoints are told apart by what differs in the names of their models: the revision, or the folder.",
    )


def default_entries(chosen: LibraryEntry | None, usable: Sequence[LibraryEntry]) -> list[LibraryEntry]:
    """One's own dictionaries of models whose names differ in numbers only, or in the revision: the newest of each
    layer; of several such models those of the chosen dictionary, else the most.
    """
    groups: dict[object, dict[object, LibraryEntry]] = {}
    of_chosen: object = None
    newest = sorted((entry for entry in usable if not entry.bundled), key=lambda entry: entry.created or "")
    for entry in newest:
        skeleton = re.sub(r"\d+", "0", entry.model or "")
        group = entry.corpus, entry.site, entry.d_model, skeleton
        groups.setdefault(group, {})[entry.model, entry.revision, entry.layer] = entry
        if chosen is not None and entry.path == chosen.path:
            of_chosen = group
    trained = {
        group: list(entries.values())
        for group, entries in groups.items()
        if len({(entry.model, entry.revision) for entry in entries.values()}) > 1
    }
    return trained.get(of_chosen) or max(trained.values(), key=len, default=[])


def cells(found: Convergence, moments: Mapping[int, engine.TrainingMoment]) -> heatmaps.Cells:
    """A row per checkpoint, a column per layer; the last row, which is 1, does not stretch the colours."""
    values = found.jaccard
    written = [["" if np.isnan(value) else f"{100 * value:.1f}" for value in row] for row in values]
    told = [
        [_told(found, moments, row, column) for column in range(len(found.layers))]
        for row in range(len(found.checkpoints))
    ]
    earlier = values[:-1][~np.isnan(values[:-1])]
    high = float(earlier.max()) if len(earlier) else 1.0
    last = np.zeros(values.shape, dtype=bool)
    last[-1] = high < 1
    known = found.null_jaccard[:-1][~np.isnan(found.null_jaccard[:-1])]
    return heatmaps.Cells(
        rows=tuple(
            name if (moment := moments.get(step)) is None else f"{name} ({moment.tokens / 1e6:.2f}M tokens)"
            for step, name in zip(found.checkpoints, found.names, strict=True)
        ),
        columns=tuple(f"layer {layer}" for layer in found.layers),
        values=values,
        written=written,
        hover=told,
        low=float(known.mean()) if len(known) else 0.0,
        high=high,
        title="Jaccard",
        percent=True,
        apart=last,
        apart_note="Grey: the last checkpoint beside itself, above the scale" if last.any() else "",
    )


def _told(found: Convergence, moments: Mapping[int, engine.TrainingMoment], row: int, column: int) -> str:
    name, value = found.names[row], found.jaccard[row, column]
    lines = [f"layer {found.layers[column]} at {name}"]
    lines.append("no dictionary" if np.isnan(value) else f"Jaccard {value:.2%}")
    if row + 1 < len(found.checkpoints) and not np.isnan(value):
        if found.low is not None and found.high is not None:
            lines.append(f"95% interval {found.low[row, column]:.1%} to {found.high[row, column]:.1%}")
        if not np.isnan(found.null_jaccard[row, column]):
            z = "" if np.isnan(found.z[row, column]) else f", z = {figure(found.z[row, column], '.1f')}"
            lines.append(f"chance {found.null_jaccard[row, column]:.2%}{z}")
    if (moment := moments.get(found.checkpoints[row])) is not None:
        lines.append(f"held-out loss {moment.held_out_loss:.3f} nats per token")
    return "\n".join(lines)
