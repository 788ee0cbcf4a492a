"""When in training each layer settles: checkpoints by layers (paper, appendix A.4.2)."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import streamlit as st

from itda_core import comparison_figures
from itda_core.comparison.convergence import Convergence
from itda_core.errors import UserError
from pages.ui import engine, shell
from pages.ui.heatmap import heatmap
from pages.ui.notice import notice, problem


def page(frame: shell.Shell) -> None:
    """The bundled checkpoints' dictionaries beside the finished model's."""
    shell.complain()
    frame.share({"show": "training"})
    try:
        found, steps = engine.convergence()
    except UserError as error:
        problem(error, key="compare.training.problem")
        return
    st.caption(
        "The first bundled model at eight moments of its training, each with a dictionary of every layer grown on the "
        "same text. Each cell: Jaccard with the finished model's dictionary of the same layer (paper, appendix A.4.2)."
    )
    heatmap(cells(found, steps), key="compare.training", file="convergence", height=520)
    notice(settled(found, steps), key="compare.training.settled")
    frame.export(
        {
            "Convergence (JSON)": (
                "convergence.json",
                "application/json",
                lambda: json.dumps(found.to_dict(), indent=2),
            ),
            "Convergence (CSV)": ("convergence.csv", "text/csv", _csv(found)),
        }
    )


def cells(found: Convergence, steps: dict[int, engine.TrainingMoment]) -> comparison_figures.Cells:
    """A row per checkpoint, a column per layer; the last row, which is 1, does not stretch the colours."""
    values = found.jaccard
    written = [["" if np.isnan(value) else f"{100 * value:.1f}" for value in row] for row in values]
    told = [
        [_told(found, steps, row, column) for column in range(len(found.layers))]
        for row in range(len(found.checkpoints))
    ]
    earlier = values[:-1][~np.isnan(values[:-1])]
    known = found.null_jaccard[:-1][~np.isnan(found.null_jaccard[:-1])]
    return comparison_figures.Cells(
        rows=tuple(f"step {step:,} ({steps[step].tokens / 1e6:.2f}M tokens)" for step in found.checkpoints),
        columns=tuple(f"layer {layer}" for layer in found.layers),
        values=values,
        written=written,
        told=told,
        low=float(known.mean()) if len(known) else 0.0,
        high=float(earlier.max()) if len(earlier) else 1.0,
        title="Jaccard",
        percent=True,
    )


def _told(found: Convergence, steps: dict[int, engine.TrainingMoment], row: int, column: int) -> str:
    step = found.checkpoints[row]
    lines = [f"layer {found.layers[column]} at step {step:,}", f"Jaccard {found.jaccard[row, column]:.2%}"]
    if row + 1 < len(found.checkpoints):
        if found.low is not None and found.high is not None:
            lines.append(f"95% interval {found.low[row, column]:.1%} to {found.high[row, column]:.1%}")
        if not np.isnan(found.null_jaccard[row, column]):
            lines.append(f"chance {found.null_jaccard[row, column]:.2%}, z = {found.z[row, column]:.1f}")
    lines.append(f"held-out loss {steps[step].held_out_loss:.3f} nats per token")
    return "\n".join(lines)


def settled(found: Convergence, steps: dict[int, engine.TrainingMoment]) -> str:
    """From which checkpoint on each layer has half of its labels in common with the finished model's dictionary."""
    last = found.checkpoints[-1]
    words = [
        f"layer {layer} {'only at the end' if step is None else f'from step {step:,}'}"
        for layer, step in zip(found.layers, found.reached(0.5), strict=True)
    ]
    return f"Jaccard of at least 50% with the end (step {last:,}): {', '.join(words)}."


def _csv(found: Convergence) -> Callable[[], str]:
    def rows() -> str:
        lines = ["step,layer,jaccard"]
        for step, values in zip(found.checkpoints, found.jaccard, strict=True):
            lines += [f"{step},{layer},{value}" for layer, value in zip(found.layers, values, strict=True)]
        return "\n".join(lines) + "\n"

    return rows
