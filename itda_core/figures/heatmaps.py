"""Comparisons as figures: the cells of heatmaps, and a page of its own that needs neither network nor script.

Every text that is not ours is escaped on that page; a heatmap's is drawn, not parsed (pages/ui/heatmap.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from itda_core.figures.page import page
from itda_core.figures_as_text import figure

if TYPE_CHECKING:
    from itda_core.comparison import JaccardMatrix

_LONGEST_NAME = 26


@dataclass(frozen=True)
class Cells:
    """What a heatmap shows. Arrays (n_rows, n_columns); NaN is drawn as an empty cell."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: np.ndarray  # what decides the colour
    written: Sequence[Sequence[str]]  # what stands in the cells
    hover: Sequence[Sequence[str]]  # what hovering tells of each, plain text, lines ending in \n
    low: float  # where the scale of colours begins
    high: float
    title: str  # of that scale
    row_groups: tuple[str, ...] = ()  # what each row belongs to; a line is drawn where it changes
    column_groups: tuple[str, ...] = ()
    percent: bool = False  # whether the scale is labelled in percent
    apart: np.ndarray | None = None  # bool; which cells lie above the scale for a reason of their own: they are grey
    apart_note: str = ""  # that reason, for the legend
    two_sided: bool = False  # whether 0 is in the middle (low is -high): orange below it, indigo above

    def is_apart(self, row: int, column: int) -> bool:
        """Whether that cell is outside the scale of colours."""
        return self.apart is not None and bool(self.apart[row, column])


def jaccard_cells(matrix: JaccardMatrix, *, colours: str = "chance", groups: Sequence[str] = ()) -> Cells:
    """A Jaccard matrix as the cells of a heatmap.

    colours: "fixed", from 0 to 1; "chance", from what chance gives to the largest value between two different sets;
    "z", standard deviations above chance. groups: what each set belongs to. A set beside itself is apart from a scale
    that ends below its 100%.
    """
    n = len(matrix.labels)
    apart = ~np.eye(n, dtype=bool)
    percent = colours != "z"
    values = matrix.jaccard if percent else np.where(apart, matrix.z, np.nan)
    between = values[apart & ~np.isnan(values)]
    low, high = 0.0, 1.0
    if colours == "chance":
        known = matrix.null_jaccard[apart]
        low = float(np.nanmean(known)) if not np.isnan(known).all() else 0.0
        high = float(between.max(initial=low))
    elif colours == "z":
        low, high = min(0.0, float(between.min(initial=0.0))), float(between.max(initial=1.0))
    digits = 1 if n <= 8 else 0
    form = f".{digits}%" if percent else ".0f"
    written = [["" if np.isnan(value) else figure(value, form).rstrip("%") for value in row] for row in values]
    hover = [[hover_of(matrix, i, j) for j in range(n)] for i in range(n)]
    title = {"fixed": "Jaccard", "chance": "Jaccard", "z": "z above chance"}[colours]
    both, names = tuple(groups), matrix.labels
    itself, note = (~apart, "Grey: beside itself, 100%, above the scale") if percent and high < 1 else (None, "")
    return Cells(names, names, values, written, hover, low, high, title, both, both, percent, itself, note)


def ceiling(matrix: JaccardMatrix, i: int, j: int) -> str:
    """Said where all labels of one set are the other's too: no two of those sizes are more alike. "" elsewhere."""
    sizes = matrix.comparable_sizes
    fewer, more = sorted([(int(sizes[i, j]), i), (int(sizes[j, i]), j)])
    if i == j or fewer[0] == more[0] or matrix.intersection[i, j] < fewer[0] or not fewer[0]:
        return ""
    one, other = (short(matrix.labels[at]) for _, at in (fewer, more))
    return (
        f"the ceiling: every label of {one} is one of {other}, and {fewer[0]:,} of {more[0]:,} labels "
        f"is {fewer[0] / more[0]:.2%}"
    )


def hover_of(matrix: JaccardMatrix, i: int, j: int) -> str:
    """One cell in words: its value, how sure it is, and what chance would give."""
    one, other = matrix.labels[i], matrix.labels[j]
    sizes = matrix.comparable_sizes
    lines = [f"{short(one)} ~ {short(other)}", f"Jaccard {matrix.jaccard[i, j]:.2%}"]
    if reached := ceiling(matrix, i, j):
        lines.append(reached)
    if i != j and matrix.low is not None and matrix.high is not None and matrix.level is not None:
        lines.append(f"{matrix.level:.0%} interval {matrix.low[i, j]:.1%} to {matrix.high[i, j]:.1%}")
    if i != j and not np.isnan(matrix.null_jaccard[i, j]):
        z = "" if np.isnan(matrix.z[i, j]) else f", z = {figure(matrix.z[i, j], '.1f')}"
        lines.append(f"chance {matrix.null_jaccard[i, j]:.2%}{z}")
    lines.append(f"{matrix.intersection[i, j]:,} shared of {sizes[i, j]:,} and {sizes[j, i]:,}")
    if not np.isnan(matrix.comparable_fraction[i, j]):
        lines.append(f"{matrix.comparable_fraction[i, j]:.0%} of their text is shared")
    return "\n".join(lines)


def short(name: str) -> str:
    """A name cut in its middle, so that both a model's family and its layer stay."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = (_LONGEST_NAME - 1) // 2
    return f"{name[: _LONGEST_NAME - 1 - half]}…{name[-half:]}"


@dataclass(frozen=True)
class Passages:
    """Some labels under a heading of their own; each is what stands before the token, the token, what comes after."""

    heading: str
    labels: tuple[tuple[str, str, str], ...]
    more: int = 0  # labels there are besides


def comparison_page(cells: Cells, *, title: str, facts: Sequence[str], passages: Sequence[Passages] = ()) -> str:
    """A whole HTML page: the matrix with its values, hovering as in the figure, and the labels of a chosen cell.

    It holds no script and may load nothing (its content security policy says so); all text is escaped.
    """
    return page(title, facts, [matrix(cells), *map(_passages, passages)])


def matrix(cells: Cells) -> str:
    """The cells as an HTML table, each with its value and what hovering tells of it."""
    columns = "".join(
        f'<th class="top{_edge(cells.column_groups, j)}">{escape(short(name))}</th>'
        for j, name in enumerate(cells.columns)
    )
    rows = "\n".join(_row(cells, i) for i in range(len(cells.rows)))
    note = f'\n<div class="muted">{escape(cells.apart_note)}</div>' if cells.apart_note else ""
    return f'<div class="wide"><table><tr><th></th>{columns}</tr>\n{rows}</table></div>{note}'


def _row(cells: Cells, i: int) -> str:
    found = "".join(_cell(cells, i, j) for j in range(len(cells.columns)))
    edge = ' class="edge"' if _edge(cells.row_groups, i) else ""
    return f"<tr{edge}><th>{escape(short(cells.rows[i]))}</th>{found}</tr>"


def _cell(cells: Cells, i: int, j: int) -> str:
    value = cells.values[i, j]
    edge = _edge(cells.column_groups, j).strip()
    classes = " ".join(filter(None, [edge, "apart" if cells.is_apart(i, j) else ""]))
    kind = f' class="{classes}"' if classes else ""
    if np.isnan(value):
        return f"<td{kind}></td>"
    if cells.is_apart(i, j):
        return f'<td{kind} title="{escape(cells.hover[i][j])}">{escape(cells.written[i][j])}</td>'
    if cells.two_sided:
        share = float(np.clip(abs(value) / max(cells.high, 1e-9), 0, 1))
        kind = f' class="{f"{classes} below".strip()}"' if value < 0 else kind
    else:
        share = float(np.clip((value - cells.low) / max(cells.high - cells.low, 1e-9), 0, 1))
    style = f"--share:{share:.3f}"  # of the deepest tint, which the page chooses so that its ink stays readable on it
    return f'<td{kind} style="{style}" title="{escape(cells.hover[i][j])}">{escape(cells.written[i][j])}</td>'


def _edge(groups: Sequence[str], i: int) -> str:
    return " edge" if 0 < i < len(groups) and groups[i] != groups[i - 1] else ""


def _passages(part: Passages) -> str:
    rows = "\n".join(
        f"<li><bdi>{escape(before)}<mark>{escape(token)}</mark>{escape(after)}</bdi></li>"
        for before, token, after in part.labels
    )
    more = f'<div class="muted">and {part.more:,} more</div>' if part.more else ""
    return f"<h2>{escape(part.heading)}</h2>\n<ol>\n{rows}\n</ol>{more}"
