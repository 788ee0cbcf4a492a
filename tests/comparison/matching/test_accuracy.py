"""Layer matching against a plain loop, and its interval against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from itda_core.comparison.matching.accuracy import accuracy, same_layers, wilson
from itda_core.errors import UserError


def by_loop(similarity: np.ndarray) -> tuple[float, float]:
    everything, different = [], []
    n_models, _, n_layers, _ = similarity.shape
    for a in range(n_models):
        for b in range(n_models):
            for i in range(n_layers):
                row = similarity[a, b, i]
                right = all(row[i] > row[j] for j in range(n_layers) if j != i)
                everything.append(right)
                if a != b:
                    different.append(right)
    return float(np.mean(everything)), float(np.mean(different))


def test_both_accuracies_are_a_loops() -> None:
    random = np.random.default_rng(0)
    similarity = random.random((4, 4, 5, 5)).round(1) + 0.3 * np.eye(5)  # rounding makes ties
    found = accuracy(similarity)
    assert (found.all_pairs, found.different_models) == pytest.approx(by_loop(similarity))
    assert (found.decisions_all_pairs, found.decisions_different_models) == (80, 60)
    assert found.interval is not None
    assert found.interval[0] < by_loop(similarity)[1] < found.interval[1]


def test_the_row_decides_and_not_the_column() -> None:
    similarity = np.tile(np.eye(2), (2, 2, 1, 1))
    similarity[0, 1] = [[0.5, 0.9], [0.1, 0.8]]  # layer 0 of model 0 finds layer 1 of model 1; layer 1 finds layer 1
    found = accuracy(similarity)
    assert (found.all_pairs, found.different_models) == (7 / 8, 3 / 4)


def test_a_tie_is_wrong() -> None:
    found = accuracy(np.ones((2, 2, 3, 3)))
    assert (found.all_pairs, found.different_models) == (0, 0)
    assert accuracy(np.eye(3)[None, None]).different_models is None


def test_wilsons_interval_solves_its_equation() -> None:
    """Its ends are the shares p from which the observed one is 1.96 standard errors of p away."""
    for right, decisions in ((0, 20), (13, 20), (20, 20), (107, 120)):
        for end in wilson(right, decisions):
            if 0 < end < 1:
                error = (end * (1 - end) / decisions) ** 0.5
                assert abs(right / decisions - end) == pytest.approx(1.959964 * error, rel=1e-6)


def test_what_cannot_be_matched_is_refused() -> None:
    for shape in ((2, 2, 3), (2, 3, 4, 4), (2, 2, 3, 4)):
        with pytest.raises(UserError, match="cannot be matched"):
            accuracy(np.zeros(shape))
    with pytest.raises(UserError, match="at least two layers"):
        accuracy(np.zeros((2, 2, 1, 1)))
    with pytest.raises(UserError, match="not finite"):
        accuracy(np.full((2, 2, 2, 2), np.nan))


def test_layers_that_all_models_have() -> None:
    assert same_layers(["a", "b"], [3, 3], None) == (0, 1, 2)
    assert same_layers(["a", "b"], [3, 12], (0, 2)) == (0, 2)
    with pytest.raises(UserError, match=r"a 3, b 12.*--layers 0-2"):
        same_layers(["a", "b"], [3, 12], None)
    with pytest.raises(UserError, match="a has no layer 5"):
        same_layers(["a", "b"], [3, 12], (0, 5))
