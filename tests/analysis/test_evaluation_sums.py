"""Running sums against NumPy on everything at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax

from itda_core.analysis.evaluation_sums import PredictionSums, ReconstructionSums, Spread, log_probabilities
from itda_core.pursuit import SparseCode


@given(
    sizes=st.lists(st.integers(0, 7), min_size=1, max_size=6),
    offset=st.sampled_from([0.0, 3.0, -1000.0]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_the_spread_is_numpys_variance_however_the_stream_is_cut(sizes: list[int], offset: float, seed: int) -> None:
    x = torch.randn(sum(sizes), 5, generator=torch.Generator().manual_seed(seed)) + offset
    spread = Spread()
    for part in x.split(sizes):
        spread.take(part)
    assert spread.tokens == len(x)
    expected = x.double().numpy().var(axis=0).sum() * len(x) if len(x) else 0.0
    assert spread.squares == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(cut=st.integers(0, 12), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_cross_entropy_and_divergence_are_scipys(cut: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    own, now = draw.normal(size=(2, 12, 9)) * 4
    targets = draw.integers(0, 9, 12)
    sums = PredictionSums()
    for part in (slice(0, cut), slice(cut, 12)):
        taken = [torch.tensor(logits[part], dtype=torch.float32) for logits in (own, now)]
        sums.take(taken[1], torch.tensor(targets[part]), log_probabilities(taken[0]))
    p, q = softmax(own, axis=1), softmax(now, axis=1)
    assert sums.cross_entropy == pytest.approx(-np.log(q[np.arange(12), targets]).mean(), abs=1e-5)
    assert sums.divergence == pytest.approx(rel_entr(p, q).sum(axis=1).mean(), abs=1e-5)


def test_a_long_row_is_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(10, 7, generator=torch.Generator().manual_seed(0))
    targets, own = torch.arange(10) % 7, log_probabilities(logits.flip(0))
    whole, parts = PredictionSums(), PredictionSums()
    whole.take(logits, targets, own)
    monkeypatch.setattr("itda_core.analysis.evaluation_sums._ENTRIES_AT_ONCE", 21)
    parts.take(logits, targets, own)
    assert parts.cross_entropy == pytest.approx(whole.cross_entropy, abs=1e-6)
    assert parts.divergence == pytest.approx(whole.divergence, abs=1e-6)


def test_a_token_the_model_rules_out_adds_nothing() -> None:
    logits = torch.tensor([[1.0, 2.0, -torch.inf]])
    sums = PredictionSums()
    sums.take(logits, torch.tensor([1]), log_probabilities(logits))
    assert sums.divergence == 0.0
    assert sums.cross_entropy == pytest.approx(np.log(1 + np.exp(-1)), abs=1e-6)


def test_without_a_prediction_there_is_no_figure() -> None:
    sums = PredictionSums()
    sums.take(torch.zeros(0, 5), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 5))
    assert (sums.cross_entropy, sums.divergence) == (None, None)


def test_an_atom_taken_twice_counts_once_and_one_that_cancels_out_not_at_all() -> None:
    sums = ReconstructionSums(6)
    code = SparseCode(torch.tensor([[3, 3, 0], [1, 1, 5]]), torch.tensor([[0.5, 0.25, 0.0], [1.0, -1.0, 2.0]]))
    sums.take(torch.ones(2, 4), torch.ones(2, 4), code)
    assert sums.l0 == 1.0
    assert sums.dead_fraction == pytest.approx(4 / 6)  # atoms 3 and 5 are used
    assert (sums.relative_error, sums.residual) == (0.0, 0.0)
    assert sums.cosine == pytest.approx(1.0)
