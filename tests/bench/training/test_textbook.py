"""The textbook trainers: plain NumPy loops give the same dictionaries, and so do the selections they stand beside."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from itda_core.bench.training.textbook import batch_by_batch, one_at_a_time
from itda_core.dictionaries import TrainConfig
from itda_core.dictionaries.growing.paper import PaperSelection
from itda_core.dictionaries.growing.sequential import SequentialSelection
from tests.tolerance import CLEAR, assert_clear

D_MODEL, K = 12, 3
CPU = torch.device("cpu")


def activations(n_tokens: int, seed: int) -> Tensor:
    """Around a shared direction, as real ones are; some rows are there twice."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(n_tokens, D_MODEL, generator=random) + 1.5
    x[n_tokens // 2] = x[n_tokens // 3]
    return x * torch.rand(n_tokens, 1, generator=random).add(0.5)


def residual_of(x: np.ndarray, atoms: list[np.ndarray], k: int) -> np.ndarray:
    """What k steps of matching pursuit leave of x (d_model,)."""
    residual = x.copy()
    for _ in range(k if atoms else 0):
        correlations = np.array([atom @ residual for atom in atoms])
        best = int(np.argmax(np.abs(correlations)))
        residual -= correlations[best] * atoms[best]
    return residual


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 60), st.integers(0, 1000), st.floats(0.05, 0.6), st.integers(1, 30))
def test_one_at_a_time_is_a_numpy_loop(n_tokens: int, seed: int, threshold: float, most: int) -> None:
    x = activations(n_tokens, seed)
    atoms: list[np.ndarray] = []
    tokens = 0
    for row in x.double().numpy():
        tokens += 1
        unit = row / np.linalg.norm(row)
        residual = residual_of(unit, atoms, min(K, len(atoms)))
        error = residual @ residual
        if abs(error - threshold) < CLEAR:  # float32 may decide such a token either way
            return
        if error > threshold:
            atoms.append(unit)
            if len(atoms) == most:
                break
    found = one_at_a_time(x, K, threshold, most)
    assert found.tokens == tokens
    np.testing.assert_allclose(found.atoms.numpy(), np.array(atoms), atol=1e-6)
    assert not found.mean.any()


@settings(max_examples=20, deadline=None)
@given(st.integers(20, 90), st.integers(0, 1000), st.floats(0.005, 0.05), st.integers(5, 40), st.integers(5, 40))
def test_batch_by_batch_is_a_numpy_loop(n_tokens: int, seed: int, threshold: float, most: int, size: int) -> None:
    batches = activations(n_tokens, seed).split(size)
    atoms: list[np.ndarray] = []
    tokens = 0
    for batch in batches:
        if len(atoms) == most:
            break
        tokens += len(batch)
        rows = [tuple(row.tolist()) for row in batch]
        units = [np.array(row) / np.linalg.norm(row) for row in rows]
        if len(atoms) < D_MODEL:
            distinct, counts = torch.unique(batch, dim=0, return_counts=True)  # the published code's two calls
            often = distinct[torch.sort(counts, descending=True)[1]]
            entering = [units[rows.index(tuple(row.tolist()))] for row in often][: D_MODEL - len(atoms)]
            atoms += entering[: most - len(atoms)]
        judged_by = list(atoms)
        for unit in units:
            x_hat = unit - residual_of(unit, judged_by, K)
            error = np.mean((unit - x_hat / np.linalg.norm(x_hat)) ** 2)
            if abs(error / threshold - 1) < CLEAR:
                return
            if error > threshold and len(atoms) < most:
                atoms.append(unit)
    found = batch_by_batch(batches, K, threshold, most)
    assert found.tokens == tokens
    np.testing.assert_allclose(found.atoms.numpy(), np.array(atoms), atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_they_give_what_the_selections_give(seed: int) -> None:
    x = activations(400, seed)
    x[7] = 0  # has no direction: skipped by all
    sequential = SequentialSelection(TrainConfig(k=K, threshold=0.2, atoms=60), D_MODEL, CPU)
    judged = sequential.judge(x)
    assert_clear(judged.errors, 0.2)
    written = one_at_a_time(x, K, 0.2, 60)
    assert written.tokens == judged.rows
    torch.testing.assert_close(written.atoms, sequential.atoms, atol=1e-6, rtol=0)

    paper = PaperSelection(TrainConfig(k=K, selection="paper", threshold=0.02, atoms=60), D_MODEL, CPU)
    read = sum(paper.judge(batch).rows for batch in x.split(50))
    written = batch_by_batch(x.split(50), K, 0.02, 60)
    assert written.tokens == read
    torch.testing.assert_close(written.atoms, paper.atoms, atol=1e-6, rtol=0)
