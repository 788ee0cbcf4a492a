"""The published code's rule against its four steps written out in plain float64 NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from itda_core.dictionaries import SELECTIONS, cosine_of
from itda_core.dictionaries.config import EXTENDED, SIZED, TrainConfig
from itda_core.dictionaries.growing.growth import RULES
from itda_core.dictionaries.growing.paper import PaperSelection, most_frequent
from itda_core.dictionaries.growing.sampled import MEMBERS
from itda_core.dictionaries.growing.sequential import Judged
from itda_core.dictionaries.threshold import default_threshold, threshold_of
from itda_core.errors import UserError
from tests.dictionaries.growing.test_sequential import clustered
from tests.tolerance import Unclear, assert_clear, on_clear_data, strongest

CPU = torch.device("cpu")


def reconstructed(x: np.ndarray, atoms: np.ndarray, k: int) -> np.ndarray:
    """Signed matching pursuit of one activation, k steps."""
    residual, x_hat, size = x.copy(), np.zeros_like(x), float(np.linalg.norm(x))
    for _ in range(k):
        correlations = atoms @ residual
        best = strongest(correlations, size)
        size += abs(correlations[best])
        x_hat += correlations[best] * atoms[best]
        residual = residual - correlations[best] * atoms[best]
    return x_hat


def four_steps(
    batches: Sequence[Tensor],
    k: int,
    threshold: float,
    most: int | None = None,
    initial: np.ndarray | None = None,
    *,
    clear: bool = True,
) -> tuple[list[tuple[int, int]], np.ndarray, list[float]]:
    """Atoms as (batch, row), the atoms themselves, and the relative error of every token in its batch's step 2.

    clear: no token's error is so near to the threshold that float32 may decide otherwise, relative to the threshold.
    """
    d = batches[0].shape[1]
    places: list[tuple[int, int]] = []
    atoms = np.zeros((0, d)) if initial is None else initial
    relative, errors = [], []
    for b, batch in enumerate(batches):
        x = batch.double().numpy()
        if len(atoms) < d:
            rows, counts = torch.unique(batch, dim=0, return_counts=True)  # the published code's two calls
            for vector in rows[torch.sort(counts, descending=True)[1]][: d - len(atoms)].double().numpy():
                places.append((b, int((x == vector).all(axis=1).argmax())))
                atoms = np.vstack([atoms, vector / np.linalg.norm(vector)])
        worse = []
        for row, vector in enumerate(x):
            x_hat = reconstructed(vector, atoms, k)
            error = ((vector / np.linalg.norm(vector) - x_hat / np.linalg.norm(x_hat)) ** 2).mean()
            relative.append(((vector - x_hat) ** 2).sum() / (vector**2).sum())
            errors.append(error / threshold)
            if error > threshold:
                worse.append(row)
        places += [(b, row) for row in worse]
        atoms = np.vstack([atoms, *(x[row][None] / np.linalg.norm(x[row]) for row in worse)])
        if most is not None and len(places) >= most:
            break
    if clear:
        assert_clear(errors, 1)
    return places[:most], atoms if most is None else atoms[:most], relative


def grow(batches: Sequence[Tensor], config: TrainConfig) -> tuple[PaperSelection, list[tuple[int, int]], list[Judged]]:
    growing = PaperSelection(config, batches[0].shape[1], CPU)
    judged = [growing.judge(batch) for batch in batches]
    return growing, [(b, row) for b, part in enumerate(judged) for row, _ in part.accepted], judged


def paper(cosine: float, d_model: int, k: int = 4, atoms: int | None = None) -> TrainConfig:
    return TrainConfig(k=k, selection="paper", threshold=threshold_of(cosine, d_model), atoms=atoms)


def coherent(n: int, d_model: int, seed: int = 0) -> Tensor:
    """Activations with a large common part, as a residual stream has, and with some that come again exactly."""
    random = torch.Generator().manual_seed(seed)
    x = clustered(n, d_model, clusters=30, noise=0.5, seed=seed) + 2 * torch.randn(d_model, generator=random)
    again = torch.randint(0, n // 10, (n,), generator=random)
    return torch.where(torch.rand(n, 1, generator=random) < 0.3, x[again], x)


@pytest.mark.parametrize("k", [1, 5, 12])
@pytest.mark.parametrize(("d_model", "size"), [(12, 97), (24, 20), (24, 700)])
def test_the_four_steps(d_model: int, size: int, k: int) -> None:
    """Which of equally frequent activations enter is torch's to say, so no seed is clear everywhere."""
    config = paper(0.97, d_model, k)
    threshold = config.threshold_for(d_model)
    assert threshold is not None

    def check(seed: int) -> None:
        x = coherent(800, d_model, seed)
        batches = x.split(size)
        places, atoms, relative = four_steps(batches, k, threshold)
        growing, got, judged = grow(batches, config)
        assert got == places
        assert d_model < len(places) < len(x)
        np.testing.assert_allclose(growing.atoms.numpy(), atoms, atol=1e-6)
        np.testing.assert_allclose(growing.gram.numpy(), atoms @ atoms.T, atol=1e-6)
        np.testing.assert_allclose(torch.cat([part.errors for part in judged]), relative, atol=1e-5)
        assert [(part.rows, part.skipped) for part in judged] == [(len(batch), 0) for batch in batches]

    on_clear_data(check, range(24))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, 6),
    cosine=st.floats(0.3, 0.98),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    most=st.none() | st.integers(1, 80),
)
def test_the_four_steps_on_any_stream(seed: int, k: int, cosine: float, sizes: list[int], most: int | None) -> None:
    batches = coherent(sum(sizes) + 10, 8, seed)[: sum(sizes)].split(sizes)
    config = paper(cosine, 8, k, most)
    threshold = config.threshold_for(8)
    assert threshold is not None
    try:
        expected = four_steps(batches, k, threshold, most, clear=False)
        nearby = [four_steps(batches, k, threshold * (1 + shift), most, clear=False)[0] for shift in (-1e-4, 1e-4)]
    except Unclear:
        return
    if nearby != [expected[0]] * 2:  # float32 may decide such a token either way
        return
    growing, got, _ = grow(batches, config)
    assert got == expected[0]
    np.testing.assert_allclose(growing.atoms.numpy(), expected[1], atol=1e-6)


def test_the_same_stream_in_other_batches_gives_another_dictionary() -> None:
    x, config = coherent(600, 16), paper(0.95, 16)
    small, large = (grow(x.split(size), config)[1] for size in (50, 300))
    flat = [{(b * size + row) for b, row in got} for got, size in ((small, 50), (large, 300))]
    assert flat[0] != flat[1]
    assert len(large) > len(small)  # the later a batch ends, the more near-duplicates enter together


def test_the_most_frequent_comes_first() -> None:
    a, b, c, e = torch.eye(4)
    x = torch.stack([c, b, a, b, -e, c, b])
    assert most_frequent(x)[:2] == [1, 0]
    assert sorted(most_frequent(x)) == [0, 1, 2, 4]
    assert most_frequent(torch.tensor([[0.5, 1.0], [0.0, 1.0], [-0.0, 1.0]])) == [1, 0]
    _, got, _ = grow([x], paper(0.9, 4, k=1))
    assert [row for _, row in got] == most_frequent(x)


@pytest.mark.parametrize("n", [10, 300])  # some sorts go by the number of entries
def test_of_equally_frequent_ones_the_published_code_s_calls_decide(n: int) -> None:
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(n))
    rows, counts = torch.unique(x, dim=0, return_counts=True)
    entered = rows[torch.sort(counts, descending=True)[1]]
    assert torch.equal(x[most_frequent(x)], entered)
    growing, _, _ = grow([x], paper(0.9, 6, k=1, atoms=6))
    torch.testing.assert_close(growing.atoms, entered[:6] / entered[:6].norm(dim=1, keepdim=True))


def test_the_errors_of_atoms_are_those_by_the_dictionary_before_them() -> None:
    x = coherent(80, 16)
    growing = PaperSelection(paper(0.98, 16), 16, CPU)
    first, second = growing.judge(x[:6]), growing.judge(x[6:])
    assert {error for _, error in first.accepted} == {1.0}
    atoms = np.stack([x[row].double().numpy() for row, _ in first.accepted])
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    filled = 16 - len(atoms)
    for row, error in second.accepted[:filled]:
        vector = x[6 + row].double().numpy()
        residual = vector - reconstructed(vector, atoms, 4)
        assert error == pytest.approx((residual @ residual) / (vector @ vector), abs=1e-5)
    assert len(second.accepted) > filled
    for row, error in second.accepted[filled:]:
        assert error == float(second.errors[row])


def test_duplicates_of_one_batch_all_enter() -> None:
    d_model, config = 8, paper(0.9, 8, k=2)
    fill, odd = torch.eye(d_model), torch.ones(d_model)
    odd_rows = torch.stack([odd, odd, 3 * odd])
    growing, got, _ = grow([fill, torch.cat([fill[:2], odd_rows, fill[2:3]]), odd_rows], config)
    assert sorted(got[:d_model]) == [(0, row) for row in range(d_model)]
    assert got[d_model:] == [(1, 2), (1, 3), (1, 4)]
    torch.testing.assert_close(growing.atoms[d_model:], (odd / odd.norm()).expand(3, -1))


def test_a_text_of_one_activation_fills_up_and_then_adds_nothing() -> None:
    batches = torch.ones(60, 4).split(5)
    growing, got, judged = grow(batches, paper(0.9, 4))
    assert got == [(0, 0), (1, 0), (2, 0), (3, 0)]
    torch.testing.assert_close(growing.atoms, torch.full((4, 4), 0.5))
    assert all(float(part.errors.max()) < 1e-6 for part in judged)


@pytest.mark.parametrize("most", [5, 16, 20, 33])
def test_the_dictionary_is_cropped(most: int) -> None:
    x = coherent(400, 16)
    batches = x.split(100)
    everything, places, _ = grow(batches, paper(0.98, 16))
    growing, got, judged = grow(batches, paper(0.98, 16, atoms=most))
    assert got == places[:most]
    assert torch.equal(growing.atoms, everything.atoms[:most])
    assert growing.full
    assert len(growing) == most
    assert judged[0].rows == 100  # to its end
    assert (judged[-1].rows, len(judged[-1].errors), judged[-1].accepted) == (0, 0, [])


def test_fewer_tokens_than_dimensions() -> None:
    x = coherent(60, 40)[:9]
    growing, _, judged = grow([x], paper(0.9, 40))
    distinct = len(torch.unique(x, dim=0))
    assert len(growing) == distinct < 40
    assert float(judged[0].errors.max()) < 1e-6


def test_zero_activations_are_skipped_and_rows_are_those_of_the_batch() -> None:
    x = coherent(60, 6)
    with_zeros = torch.zeros(120, 6)
    with_zeros[1::2] = x
    plain, rows, _ = grow([x], paper(0.97, 6))
    growing, got, (judged,) = grow([with_zeros], paper(0.97, 6))
    assert torch.equal(growing.atoms, plain.atoms)
    assert got == [(0, 2 * row + 1) for _, row in rows]
    assert (judged.skipped, judged.rows, len(judged.errors)) == (60, 120, 60)
    nothing = PaperSelection(paper(0.97, 6), 6, CPU).judge(torch.zeros(5, 6))
    assert (nothing.skipped, nothing.rows, len(nothing.errors), nothing.accepted) == (5, 5, 0, [])


def test_what_no_atom_explains_at_all_has_the_error_of_a_zero_vector() -> None:
    eye = torch.eye(4)
    for threshold, entering in ((0.99 / 4, [(0, 1.0), (2, 1.0)]), (1.01 / 4, [])):
        growing = PaperSelection(TrainConfig(k=4, selection="paper", threshold=threshold), 4, CPU)
        growing.restore(eye[:1].expand(4, 4))
        assert growing.judge(torch.stack([eye[1], eye[0], eye[2]])).accepted == entering


def test_the_mean_is_subtracted_and_norms_do_not_matter() -> None:
    x = coherent(200, 12)
    mean = x.mean(dim=0)
    centred = PaperSelection(paper(0.9, 12), 12, CPU, mean)
    plain = PaperSelection(paper(0.9, 12), 12, CPU)
    assert centred.judge(x).accepted == plain.judge(x - mean).accepted
    assert torch.equal(centred.atoms, plain.atoms)
    scaled = PaperSelection(paper(0.9, 12), 12, CPU)
    scaled.judge((x - mean) * 2.0**30)
    assert torch.equal(scaled.atoms, plain.atoms)


@pytest.mark.parametrize("after", [1, 2, 5])
def test_restored_atoms_go_on_to_the_bit(after: int) -> None:
    batches, config = coherent(400, 16).split(10), paper(0.97, 16)
    whole, _, judged = grow(batches, config)
    first, _, _ = grow(batches[:after], config)
    second = PaperSelection(config, 16, CPU)
    second.restore(first.atoms)
    for batch, expected in zip(batches[after:], judged[after:], strict=True):
        again = second.judge(batch)
        assert torch.equal(again.errors, expected.errors)
        assert again.accepted == expected.accepted
    assert torch.equal(second.atoms, whole.atoms)
    assert torch.equal(second.gram, whole.gram)


def test_activations_that_are_not_finite_are_refused() -> None:
    with pytest.raises(UserError, match="NaN"):
        PaperSelection(paper(0.9, 2), 2, CPU).judge(torch.tensor([[1.0, float("nan")]]))


def test_what_a_threshold_means() -> None:
    assert cosine_of(0.0004, 768) == pytest.approx(0.8464)
    assert cosine_of(0.0004, 1024) == pytest.approx(0.7952)
    x, x_hat = torch.randn(2, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    error = float((x / x.norm() - x_hat / x_hat.norm()).square().mean())
    assert cosine_of(error, 50) == pytest.approx(float(torch.cosine_similarity(x, x_hat, dim=0)))
    assert threshold_of(cosine_of(0.0004, 768), 768) == pytest.approx(0.0004)


def test_without_a_threshold_it_is_what_relative_error_03_means() -> None:
    projection = torch.linalg.qr(torch.randn(50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    inside, outside = projection[:, 0], projection[:, 1]
    x_hat = 0.7**0.5 * inside  # a residual orthogonal to it, of relative squared error 0.3
    x = x_hat + 0.3**0.5 * outside
    error = float((x / x.norm() - x_hat / x_hat.norm()).square().mean())
    config = TrainConfig(selection="paper")
    assert config.threshold is None
    assert config.threshold_for(50) == default_threshold(50) == pytest.approx(error)
    assert TrainConfig().threshold_for(50) == 0.3


@pytest.mark.parametrize("threshold", [4 / 768, 2 / 768, 0.01, 0.1])
def test_a_threshold_that_can_add_nothing_is_refused(threshold: float) -> None:
    config = TrainConfig(selection="paper", threshold=threshold)
    with pytest.raises(UserError, match=r"at most 0\.0026 \(cosine 0\).*for example 0\.000425, which is cosine 0\.837"):
        PaperSelection(config, 768, CPU)


def test_every_selection_has_a_rule() -> None:
    assert (*RULES, *MEMBERS) == SELECTIONS
    assert tuple(RULES) == EXTENDED
    assert tuple(MEMBERS) == SIZED
