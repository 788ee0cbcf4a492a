"""Checkpoints beside the last one, layer by layer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from itda_core import UserError
from itda_core.comparison.convergence import convergence
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


def test_a_missing_end_is_named() -> None:
    with pytest.raises(UserError, match="1000, has no dictionary of layer 5"):
        convergence({**SETS, (1, 5): first(3)})
    with pytest.raises(UserError, match="at least two checkpoints"):
        convergence({(1, 0): first(3)})
