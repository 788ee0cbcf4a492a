"""Checkpoints beside the last one, layer by layer."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from itda_core import UserError
from itda_core.comparison.over_training.convergence import convergence
from itda_core.comparison.over_training.convergence_report import sentences, settled, to_csv
from tests.comparison.label_sets import LabelSet, set_of


def first(n: int, of: int = 40) -> LabelSet:
    """Labels at n of the places 0 to `of`, the rest elsewhere."""
    return set_of([("d", 0, i if i < n else 100 + i) for i in range(of)])


SETS = {
    **{(step, 0): first(n) for step, n in ((1, 10), (10, 38), (100, 39), (1000, 40))},
    **{(step, 2): first(n) for step, n in ((1, 0), (10, 20), (1000, 40))},
}


def test_each_checkpoint_is_compared_with_the_last_of_its_layer() -> None:
    found = convergence(SETS, interval=True)
    assert (found.checkpoints, found.layers) == ((1, 10, 100, 1000), (0, 2))
    expected = [[n / (80 - n) for n in (10, 38, 39, 40)], [n / (80 - n) for n in (0, 20, 40)]]
    assert found.jaccard[:, 0] == pytest.approx(expected[0])
    assert found.jaccard[[0, 1, 3], 1] == pytest.approx(expected[1])
    assert np.isnan(found.jaccard[2, 1])  # there is no such dictionary
    assert found.low is not None
    assert found.low[1, 0] == pytest.approx(expected[0][1])  # of one document every resample is the same
    assert found.reached(0.9) == (10, None)
    said = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert said["jaccard"][2] == [pytest.approx(39 / 41), None]


def test_names_stand_for_steps_and_empty_cells_say_nothing_about_settling() -> None:
    sets = {(place, 0): first(n) for place, n in enumerate((30, 40, 40, 40))} | {(0, 1): first(1), (3, 1): first(40)}
    sets[1, 1] = first(39)  # and at the place 2 there is none
    found = convergence(sets, names=("a-1", "a-20", "a-100", "main"))
    assert found.names == ("a-1", "a-20", "a-100", "main")
    assert found.reached(0.9) == (1, 1)
    assert settled(found) == "Jaccard of at least 50% with the end (main): layer 0 from a-1, layer 1 from a-20."
    assert convergence(SETS).names == ("step 1", "step 10", "step 100", "step 1,000")
    expected = found.null_jaccard[:-1][~np.isnan(found.null_jaccard[:-1])]
    assert list(sentences(found))[1:] == [
        "Each checkpoint shares 100% of its text with the last one (estimated).",
        f"By chance Jaccard would be {expected.min():.1%}.",
    ]
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [(row["checkpoint"], row["layer"]) for row in rows[:2]] == [("a-1", "0"), ("a-1", "1")]
    assert [row["jaccard"] for row in rows[2::2]] == ["1.0"] * 3
    assert (rows[5]["checkpoint"], rows[5]["jaccard"], rows[5]["low"]) == ("a-100", "", "")
    assert float(rows[0]["null_jaccard"]) == found.null_jaccard[0, 0]


def test_a_missing_end_is_named() -> None:
    with pytest.raises(UserError, match="step 1,000, has no dictionary of layer 5"):
        convergence({**SETS, (1, 5): first(3)})
    with pytest.raises(UserError, match="at least two checkpoints"):
        convergence({(1, 0): first(3)})
