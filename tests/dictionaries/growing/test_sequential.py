"""Sequential selection against one activation at a time in plain float64 NumPy, and against scikit-learn's pursuit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import orthogonal_mp
from torch import Tensor

from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.growing import sequential
from itda_core.dictionaries.growing.buffers import GrowingAtoms
from itda_core.dictionaries.growing.sequential import Judged, SequentialSelection
from itda_core.errors import UserError
from tests.tolerance import CLEAR, assert_clear, assert_rounded_once, strongest


def clustered(n_tokens: int, d_model: int, clusters: int, noise: float, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    centres = torch.randn(clusters, d_model, generator=random)
    which = torch.randint(0, clusters, (n_tokens,), generator=random)
    return centres[which] + noise * torch.randn(n_tokens, d_model, generator=random)


def one_at_a_time(x: Tensor, k: int, threshold: float, method: str = "mp") -> tuple[list[int], np.ndarray, np.ndarray]:
    """Accepted rows, errors of the non-zero ones, and atoms; none of the decisions is one that rounding could turn."""
    atoms = np.zeros((0, x.shape[1]))
    accepted, errors = [], []
    for row, vector in enumerate(x.double().numpy()):
        if not vector.any():
            continue
        vector = vector / np.linalg.norm(vector)
        steps = min(k, len(atoms))
        residual, size = vector, 1.0
        if steps and method == "omp":
            residual = vector - atoms.T @ np.atleast_1d(orthogonal_mp(atoms.T, vector, n_nonzero_coefs=steps))
        for _ in range(steps if method == "mp" else 0):
            correlations = atoms @ residual
            best = strongest(correlations, size)
            size += abs(correlations[best])
            residual = residual - correlations[best] * atoms[best]
        errors.append(residual @ residual)
        if errors[-1] > threshold:
            accepted.append(row)
            atoms = np.vstack([atoms, vector])
    assert_clear(errors, threshold)
    return accepted, np.array(errors), atoms


def grow(
    x: Tensor, config: TrainConfig, cuts: list[int] | None = None
) -> tuple[SequentialSelection, list[int], Tensor]:
    growing = SequentialSelection(config, x.shape[1], torch.device("cpu"))
    edges = [0, *sorted(cuts or []), len(x)]
    parts: list[Judged] = [growing.judge(x[a:b]) for a, b in pairwise(edges)]
    rows = [a + row for a, part in zip(edges, parts, strict=False) for row, _ in part.accepted]
    return growing, rows, torch.cat([part.errors for part in parts])


def use_blocks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(sequential, "FIRST_BLOCK", size)
    monkeypatch.setattr(sequential, "SMALLEST_BLOCK", size)
    monkeypatch.setattr(sequential, "LARGEST_BLOCK", dict.fromkeys(sequential.LARGEST_BLOCK, size))


@pytest.fixture(params=["compiled", "in blocks"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways in which matching pursuit on a CPU can judge."""
    monkeypatch.setattr(sequential, "COMPILED", request.param == "compiled")
    return request.param


DATA = {
    "random": lambda: torch.randn(200, 5, generator=torch.Generator().manual_seed(3)),
    "clusters": lambda: clustered(300, 16, clusters=25, noise=0.6, seed=1),
    "tight clusters": lambda: clustered(150, 10, clusters=6, noise=0.05),
}


@pytest.mark.parametrize("block", [1, 13, 512])
@pytest.mark.parametrize("k", [1, 4, 12])
@pytest.mark.parametrize("name", sorted(DATA))
def test_blocks_give_what_one_at_a_time_gives(way, monkeypatch, name: str, k: int, block: int) -> None:
    use_blocks(monkeypatch, block)
    x = DATA[name]()
    rows, errors, atoms = one_at_a_time(x, k, 0.2)
    growing, got, got_errors = grow(x, TrainConfig(k=k, threshold=0.2))
    assert got == rows
    assert len(rows) < len(x)
    np.testing.assert_allclose(got_errors.numpy(), errors, atol=2e-4 if k > 4 else 1e-5)
    np.testing.assert_allclose(growing.atoms.numpy(), atoms, atol=1e-6)


@pytest.mark.parametrize("block", [5, 128])
def test_orthogonal_pursuit_judges_as_scikit_learn_does(monkeypatch, block: int) -> None:
    use_blocks(monkeypatch, block)
    x = clustered(160, 12, clusters=20, noise=0.5)
    rows, errors, _ = one_at_a_time(x, 4, 0.15, "omp")
    _, got, got_errors = grow(x, TrainConfig(k=4, threshold=0.15, method="omp"))
    assert got == rows
    np.testing.assert_allclose(got_errors.numpy(), errors, atol=1e-4)


@settings(max_examples=12, deadline=None)
@given(
    compiled=st.booleans(),
    seed=st.integers(0, 10_000),
    k=st.integers(1, 6),
    threshold=st.floats(0.05, 0.9),
    method=st.sampled_from(["mp", "omp", "gp"]),
    cuts=st.lists(st.integers(0, 90), max_size=6),
)
def test_how_the_stream_is_cut_does_not_matter(compiled, seed, k, threshold, method, cuts) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sequential, "COMPILED", compiled)
        _check_cuts(seed, k, threshold, method, cuts)


def _check_cuts(seed, k, threshold, method, cuts) -> None:
    x = clustered(90, 8, clusters=10, noise=0.5, seed=seed)
    config = TrainConfig(k=k, threshold=threshold, method=method)
    whole, whole_rows, whole_errors = grow(x, config)
    parts, rows, errors = grow(x, config, cuts)
    if (whole_errors - threshold).abs().min() < CLEAR:  # float32 may decide such a token either way
        return
    assert rows == whole_rows
    assert torch.equal(parts.atoms, whole.atoms)  # each is its own activation divided by its norm
    assert_rounded_once(errors, whole_errors, k)  # each token's go by its own correlations alone


def test_both_ways_agree_on_duplicates_and_ties() -> None:
    """Atoms that tie to the last bit, and activations that are atoms: the lower index, and nobody enters twice."""
    x = torch.cat([torch.eye(6), torch.eye(6), torch.ones(3, 6), -torch.eye(6), clustered(60, 6, 9, 0.3)])
    grown = []
    for compiled in (True, False):
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(sequential, "COMPILED", compiled)
            grown.append(grow(x, TrainConfig(k=3, threshold=0.05)))
    (one, rows, errors), (other, other_rows, other_errors) = grown
    assert rows == other_rows
    assert rows[:7] == [0, 1, 2, 3, 4, 5, 12]
    assert torch.equal(one.atoms, other.atoms)
    torch.testing.assert_close(errors, other_errors, atol=1e-6, rtol=0)


def test_zero_vectors_are_skipped_and_the_first_activation_enters(way) -> None:
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [-6.0, -8.0], [4.0, -3.0]])
    growing = SequentialSelection(TrainConfig(k=1, threshold=0.5), 2, torch.device("cpu"))
    judged = growing.judge(x)
    assert judged.accepted == [(1, 1.0), (4, pytest.approx(1.0))]
    assert (judged.skipped, judged.rows, len(judged.errors)) == (2, 5, 3)
    torch.testing.assert_close(growing.atoms, torch.tensor([[0.6, 0.8], [0.8, -0.6]]))


def test_growth_stops_behind_the_activation_that_fills_the_dictionary(way) -> None:
    x = DATA["clusters"]()
    rows, _, _ = one_at_a_time(x, 4, 0.2)
    growing = SequentialSelection(TrainConfig(k=4, threshold=0.2, atoms=9), 16, torch.device("cpu"))
    judged = growing.judge(x)
    assert [row for row, _ in judged.accepted] == rows[:9]
    assert judged.rows == rows[8] + 1 == len(judged.errors)
    assert growing.full
    again = growing.judge(x)
    assert (again.rows, again.accepted, len(again.errors)) == (0, [], 0)


def test_the_mean_is_subtracted(way) -> None:
    x = DATA["clusters"]() + 5
    mean = x.mean(dim=0)
    plain = SequentialSelection(TrainConfig(k=4), 16, torch.device("cpu"))
    centred = SequentialSelection(TrainConfig(k=4), 16, torch.device("cpu"), mean)
    assert centred.judge(x).accepted == plain.judge(x - mean).accepted
    assert torch.equal(centred.atoms, plain.atoms)


def test_restored_atoms_go_on_to_the_bit(way) -> None:
    x = DATA["clusters"]()
    config = TrainConfig(k=6, threshold=0.2)
    whole, _, errors = grow(x, config, [160])
    first, _, _ = grow(x[:160], config)
    second = SequentialSelection(config, 16, torch.device("cpu"))
    second.restore(first.atoms)
    assert torch.equal(second.judge(x[160:]).errors, errors[160:])
    assert torch.equal(second.atoms, whole.atoms)


def test_activations_that_are_not_finite_are_refused() -> None:
    growing = SequentialSelection(TrainConfig(), 2, torch.device("cpu"))
    with pytest.raises(UserError, match="NaN"):
        growing.judge(torch.tensor([[1.0, float("nan")]]))


def test_the_gram_matrix_grows_with_the_atoms() -> None:
    atoms = torch.nn.functional.normalize(torch.randn(300, 20, generator=torch.Generator().manual_seed(0)), dim=1)
    growing = GrowingAtoms.of(atoms)
    assert torch.equal(growing.atoms, atoms)
    torch.testing.assert_close(growing.gram[:300, :300], atoms @ atoms.T)
    assert not growing.gram[300:].any()
    assert not growing.gram[:, 300:].any()
    x = torch.randn(4, 20, dtype=torch.float64)
    torch.testing.assert_close(growing.correlations(x)[:, :300], (x @ atoms.double().T).float())
