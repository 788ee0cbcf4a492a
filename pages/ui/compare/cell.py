"""What is behind one cell of the compare page's heatmap: the labels two dictionaries share, and those they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import streamlit as st

from itda_core.figures.heatmaps import Passages, ceiling
from itda_core.figures_as_text import figure
from itda_core.files.csv_export import frame_csv
from itda_core.files.without_paths import without_paths
from pages.ui.compare.matrix import Compared
from pages.ui.components.label_list import label_list
from pages.ui.components.plain_text import fact_table, heading
from pages.ui.components.printable import NONE, visible, visible_token
from pages.ui.frame import engine, navigation
from pages.ui.frame.address import kept_choice

if TYPE_CHECKING:
    import pandas as pd

    from itda_core.comparison.overlap.differences import Differences

_PER_PAGE = 10
_EXPORTED = 200  # labels of each part on the page that Export makes
_NAMED = 4  # cells; more are counted


class _Place(NamedTuple):
    """One label of a part."""

    token: str
    context_before: str
    context_after: str


def differences(found: Compared, cell: tuple[int, int]) -> Differences:
    """The labels behind one cell (row, column): those both have, and those only one has."""
    options = found.options
    return engine.differences(found.keys, options.by, options.exact, options.must, options.crop, *cell)


def figures(found: Compared, cell: tuple[int, int]) -> None:
    """The cell's figures, and what it is statistically tied with."""
    matrix = found.matrix
    i, j = cell
    heading(f"{matrix.labels[i]} ~ {matrix.labels[j]}", under=_under(found, cell), key="compare.cell.name")
    facts = {"Jaccard": f"{matrix.jaccard[i, j]:.2%}"}
    if reached := ceiling(matrix, i, j):
        facts["Jaccard"] += f", {reached}"
    if i != j and matrix.low is not None and matrix.high is not None and matrix.level is not None:
        facts[f"{matrix.level:.0%} interval"] = f"{matrix.low[i, j]:.1%} to {matrix.high[i, j]:.1%}"
    if i != j and not np.isnan(matrix.null_jaccard[i, j]):
        z = "" if np.isnan(matrix.z[i, j]) else f", z = {figure(matrix.z[i, j], '.1f')}"
        kind = "given the tokens" if matrix.null == "token" else "any token"
        facts["By chance"] = f"{matrix.null_jaccard[i, j]:.2%} ({kind}){z}"
    sizes = matrix.comparable_sizes
    facts["Shared labels"] = f"{matrix.intersection[i, j]:,} shared of {matrix.union[i, j]:,} in total"
    facts["Labels"] = f"{sizes[i, j]:,} and {sizes[j, i]:,}"
    counted = [found.sets[place].n_atoms for place in cell]
    if any(n is not None and len(found.sets[place]) > n for n, place in zip(counted, cell, strict=True)):
        atoms = " and ".join("?" if n is None else f"{n:,}" for n in counted)
        facts["Atoms"] = f"{atoms}; every label of an atom counts"
    if matrix.uncropped is not None:
        facts["Without cropping"] = f"{matrix.uncropped.jaccard[i, j]:.2%}"
    if i != j and (likened := alike(found, cell)) is not None:
        facts["Statistically tied with"] = likened
    fact_table(facts, key="compare.cell.facts")


def alike(found: Compared, cell: tuple[int, int]) -> str | None:
    """Which other cells of the row the resamples cannot tell from this one; None without intervals."""
    bootstrap = found.matrix.bootstrap
    if bootstrap is None:
        return None
    i, j = cell
    labels = found.matrix.labels
    others = [column for column in range(len(labels)) if column != i]
    # The cell itself stands in for the largest one, from which `like_the_largest` tells the others.
    like = bootstrap.like_the_largest(i, others, np.arange(len(labels)) == j)
    if not like:
        return f"no other cell of the row of {labels[i]}"
    like.sort(key=lambda column: -found.matrix.jaccard[i, column])
    named = ", ".join(f"{labels[column]} ({found.matrix.jaccard[i, column]:.1%})" for column in like[:_NAMED])
    more = f" and {len(like) - _NAMED} more" if len(like) > _NAMED else ""
    return f"{named}{more}, in the row of {labels[i]}"


def _under(found: Compared, cell: tuple[int, int]) -> str:
    def one(i: int) -> str:
        specs = found.sets[i].specs
        layers = [str(spec.layer) for spec in specs if spec.layer is not None]
        where = f" layer{'' if len(layers) == 1 else 's'} {', '.join(layers)}" if layers else ""
        return f"{specs[0].model}{where} {specs[0].site}"

    return " ~ ".join(map(one, cell))


def places(found: Compared, cell: tuple[int, int], parts: Differences) -> None:
    """The labels, in the part that was chosen, with their contexts; one can be opened."""
    names = [found.matrix.labels[i] for i in cell]
    part = kept_choice(
        "Labels",
        "part",
        {
            "shared": f"Shared ({len(parts.shared):,})",
            "first": f"Only first ({len(parts.only_one):,})",
            "second": f"Only second ({len(parts.only_two):,})",
            "counted": "Counted",
        },
        key="compare.part",
        help="Shared labels: the most surprising first, those that entered when the two shared few others, or whose "
        "tokens' labels they seldom share. Counted shows how many labels there are of each token, and in each kind of "
        "passage.",
    )
    if part == "counted":
        _counts(parts)
        return
    frame = {"shared": parts.most_surprising(), "first": parts.only_one, "second": parts.only_two}[part]
    empty = {
        "shared": "They have no label in common.",
        "first": "Every comparable label of the first is one of the second.",
        "second": "Every comparable label of the second is one of the first.",
    }[part]
    owners = {"shared": (0, 1), "first": (0,), "second": (1,)}[part]
    stamp = hash((*names, part))
    page = 1
    slot = st.container()
    if len(frame) > _PER_PAGE:
        page = st.pagination(-(-len(frame) // _PER_PAGE), key=f"compare.page.{stamp}")
    shown = frame.iloc[(page - 1) * _PER_PAGE : page * _PER_PAGE]
    picked: int | None = st.session_state.get(f"compare.place.{stamp}.{page}")

    def pick(place: int | None) -> None:
        st.session_state[f"compare.place.{stamp}.{page}"] = place

    with slot:
        label_list(_seen(shown), empty=empty, key=f"compare.labels.{stamp}", picked=picked, on_pick=pick)
        if picked is not None and picked < len(shown):
            _ways(found, cell, owners, shown.iloc[picked])


def _ways(found: Compared, cell: tuple[int, int], owners: Sequence[int], row: Any) -> None:
    """Links from a label to the atoms that carry it."""
    if found.options.by != "dictionary":
        return
    with st.container(horizontal=True):
        for owner in owners:
            atom = int(row["atom_two"] if owner and len(owners) == 2 else row["atom"])
            name = found.entries[cell[owner]].name
            side = ("first", "second")[owner]
            given = {"dictionary": name, "atom": atom}
            navigation.link("Atoms", given, label=f"Atom {atom} of the {side}")
            navigation.link("Decompose", given, label=f"Atom {atom} of the {side} in Decompose")


def _counts(parts: Differences) -> None:
    """Where the two differ: by token, and by kind of passage."""
    st.markdown("**By token**: largest differences first")
    _counted(parts.by_token, "token", visible_token)
    st.markdown("**By kind of passage**")
    _counted(parts.by_kind, "kind", visible)


def _counted(frame: pd.DataFrame, column: str, shown: Any) -> None:
    numbers = {
        "shared": "shared",
        "only_one": "only first",
        "only_two": "only second",
        "difference": "second − first",
    }
    table = frame[[column, *numbers]].assign(**{column: frame[column].map(shown)}).rename(columns=numbers)
    st.dataframe(
        table,
        hide_index=True,
        placeholder=NONE,
        key=f"compare.counts.{column}",
        height="content" if len(table) <= 10 else 387,
        column_config={
            column: st.column_config.TextColumn("token" if column == "token" else "passage", pinned=True),
            "second − first": st.column_config.NumberColumn(
                format="%+d", help="How many more labels the second has there. Shared labels count for both."
            ),
        },
    )


def passages(found: Compared, cell: tuple[int, int], parts: Differences) -> list[Passages]:
    """The cell's labels for the page that Export makes."""
    one, two = (without_paths(found.matrix.labels[i]) for i in cell)
    headings = (
        (f"{one} ~ {two}: {len(parts.shared):,} shared labels, the most surprising first", parts.most_surprising()),
        (f"Only in {one}: {len(parts.only_one):,}", parts.only_one),
        (f"Only in {two}: {len(parts.only_two):,}", parts.only_two),
    )
    return [
        Passages(
            title,
            tuple(
                (visible(seen.context_before), visible(seen.token), visible(seen.context_after))
                for seen in _seen(frame.iloc[:_EXPORTED])
            ),
            max(0, len(frame) - _EXPORTED),
        )
        for title, frame in headings
    ]


def csv(parts: Differences) -> str:
    """Every label of the cell: which of the two has it, and where it was seen."""
    return frame_csv(parts.labels())


def _seen(frame: pd.DataFrame) -> list[_Place]:
    columns = (frame[name].tolist() for name in _Place._fields)
    return [_Place(*values) for values in zip(*columns, strict=True)]
