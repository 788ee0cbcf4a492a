"""What is said of a transfer is what its figures are."""

from __future__ import annotations

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


_OF_OWN = " of the gain over random places (100%: other's own dictionary)."


def test_the_way_is_the_mean_where_there_is_one() -> None:
    """75% and 25% of the way in two layers; the own dictionary of the third is no better than random places."""
    table = table_of((0.25, 0.2, 0.4, 0.01), (0.35, 0.2, 0.4, 0.03), (0.5, 0.39, 0.4, 0.01))
    said = verdict(table, 3)
    assert (
        "labels recover 50% of the gain over random places (100%: other's own dictionary) (mean over the 2 of 3" in said
    )
    assert "better than random places in 1 of 3 layers and worse in 1" in said
    assert said.endswith("Mean FVU at k = 3: the labels 0.367, its own 0.263, random 0.400.")


@pytest.mark.parametrize(
    ("figures", "says", "not_"),
    [
        ((0.25, 0.2, 0.4, 0.01), "recover 75%" + _OF_OWN + " They explain better than random", "layers"),
        ((0.4, 0.2, 0.4, 0.01), "recover 0%" + _OF_OWN + " They explain as well as random", "layers"),
        ((0.5, 0.2, 0.4, 0.01), "recover -50%" + _OF_OWN + " They explain worse than random", "layers"),
        ((0.25, 0.39, 0.4, 0.01), "no better than random places here", "recover"),
        ((0.25, None, 0.4, 0.01), "other has no known dictionary of this text", "its own"),
        ((0.25, 0.2, None, None), "FVU at k = 3: the labels 0.250, its own 0.200.", "random"),
        ((0.25, 0.2, 0.4, None), "recover 75%" + _OF_OWN + " FVU", "explain"),
    ],
)
def test_nothing_is_said_that_is_not_known(figures: tuple, says: str, not_: str) -> None:
    said = verdict(table_of(figures), 3)
    assert says in said
    assert not_ not in said


def test_no_figure_is_no_verdict() -> None:
    with pytest.raises(UserError, match="No FVU is known at k=3"):
        verdict(table_of((None, None, None, None)), 3)
