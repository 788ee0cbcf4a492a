"""What is said of a transfer is what its figures are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from itda_core.comparison.label_transfer.transfer import Transfer, TransferTable
from itda_core.errors import UserError
from itda_core.runs.transfer.words import verdict


def table_of(*figures: tuple[float | None, float | None, float | None, float | None]) -> TransferTable:
    """FVU, own, random, sd of one cell per layer, at k=3."""
    nothing: dict[str, Any] = dict.fromkeys(Transfer.__dataclass_fields__)
    cells = tuple(
        Transfer(
            **{
                **nothing,
                "atoms": 1000,
                "labels_layer": layer,
                "layer": layer,
                "site": "resid_post",
                "k": 3,
                "fvu": fvu,
                "own_fvu": own,
                "random_fvu": random,
                "random_sd": sd,
            }
        )
        for layer, (fvu, own, random, sd) in enumerate(figures)
    )
    return TransferTable("other", "demo", "demo", 100, 3, cells)


_WAY = " of the way from random places (0%) to its own dictionary (100%)."


def test_the_way_is_the_mean_where_there_is_one() -> None:
    """75% and 25% of the way in two layers; the own dictionary of the third is no better than random places."""
    table = table_of((0.25, 0.2, 0.4, 0.01), (0.35, 0.2, 0.4, 0.03), (0.5, 0.39, 0.4, 0.01))
    said = verdict(table, 3)
    assert said.startswith(
        "Rebuilt in other, the labels come 50%" + _WAY[:-1] + " (mean of the 2 of 3 layers in which its own dictionary "
        "beats random places)."
    )
    assert "The labels explain 1 of 3 layers better than random places do, and 1 worse" in said
    assert said.endswith(
        "Mean unexplained variance (FVU) at k = 3: the labels 0.367, its own dictionary 0.263, random places 0.400."
    )


@pytest.mark.parametrize(
    ("figures", "says", "not_"),
    [
        ((0.25, 0.2, 0.4, 0.01), "come 75%" + _WAY + " The labels explain it better than random", "layers"),
        ((0.4, 0.2, 0.4, 0.01), "come 0%" + _WAY + " The labels explain it as well as random", "layers"),
        ((0.5, 0.2, 0.4, 0.01), "come -50%" + _WAY + " The labels explain it worse than random", "layers"),
        ((0.25, 0.39, 0.4, 0.01), "no better than random places here", "come"),
        ((0.25, None, 0.4, 0.01), "other has no known dictionary of this text", "its own"),
        ((0.25, 0.2, None, None), "(FVU) at k = 3: the labels 0.250, its own dictionary 0.200.", "random"),
        ((0.25, 0.2, 0.4, None), "come 75%" + _WAY + " Unexplained", "The labels explain"),
    ],
)
def test_nothing_is_said_that_is_not_known(figures: tuple, says: str, not_: str) -> None:
    said = verdict(table_of(figures), 3)
    assert says in said
    assert not_ not in said


@pytest.mark.parametrize(("sizes", "said"), [((1000, 256), "256 to 1,000 atoms"), ((1000, 950), "")])
def test_dictionaries_of_sizes_apart_are_told(sizes: tuple[int, ...], said: str) -> None:
    table = table_of((0.25, 0.2, 0.4, 0.01), (0.35, 0.2, 0.4, 0.03))
    cells = tuple(replace(cell, atoms=atoms) for cell, atoms in zip(table.cells, sizes, strict=True))
    words = verdict(replace(table, cells=cells), 3)
    assert said in words
    assert ("differences between layers may come from the sizes" in words) == bool(said)


def test_no_figure_is_no_verdict() -> None:
    with pytest.raises(UserError, match="No FVU is known at k=3"):
        verdict(table_of((None, None, None, None)), 3)


@pytest.mark.parametrize(("places", "said"), [(6800, "the mean of 6.8 places"), (1000, ""), (None, "")])
def test_labels_of_several_places_are_told_from_single_ones(places: int | None, said: str) -> None:
    table = table_of((0.25, 0.2, 0.4, 0.01))
    words = verdict(replace(table, cells=tuple(replace(cell, places=places) for cell in table.cells)), 3)
    assert said in words
    assert ("comes from the averaging" in words) == bool(said)
