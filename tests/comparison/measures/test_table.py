"""Similarity measures against independent implementations and closed forms."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pkgutil import resolve_name

import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression as SklearnRegression
from torch import Tensor

from itda_core.comparison.measures.cka import LinearCka, linear_cka
from itda_core.comparison.measures.moments import Covariances
from itda_core.comparison.measures.pairwise import similarities
from itda_core.comparison.measures.regression import LinearRegression, linear_regression
from itda_core.comparison.measures.relative import RelativeRepresentations, relative_representation
from itda_core.comparison.measures.svcca import Svcca, svcca
from itda_core.comparison.measures.table import TABLE, check_measures, measure_named, steps
from itda_core.errors import UserError

MEASURES = (linear_cka, svcca, relative_representation, linear_regression)
Measure = Callable[[Tensor, Tensor], float]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def related() -> tuple[Tensor, Tensor]:
    """Activations (400, 6) and (400, 9) that share some directions, far from centred."""
    shared = normal(400, 5)
    x = shared @ normal(5, 6, seed=1) + 0.5 * normal(400, 6, seed=2) + 3
    y = shared @ normal(5, 9, seed=3) + 0.5 * normal(400, 9, seed=4) - 2
    return x, y


def rotation(width: int) -> Tensor:
    return torch.linalg.qr(normal(width, width, seed=7)).Q


def test_linear_cka_is_its_gram_form() -> None:
    x, y = related()
    centring = torch.eye(len(x), dtype=torch.float64) - 1 / len(x)
    one, two = (centring @ (part @ part.T) @ centring for part in (x, y))
    expected = (one * two).sum() / (one.norm() * two.norm())
    assert linear_cka(x, y) == pytest.approx(float(expected), abs=1e-10)
    assert linear_cka(x.float(), y.float()) == pytest.approx(float(expected), abs=1e-6)


def test_svcca_is_scikit_learns_cca_of_principal_components() -> None:
    x, y = related()
    reduced = [PCA(0.9, svd_solver="full").fit_transform(part.numpy()) for part in (x, y)]
    fewer = min(part.shape[1] for part in reduced)
    assert 1 < fewer < 6
    one, two = CCA(fewer, max_iter=20_000, tol=1e-12).fit_transform(*reduced)
    expected = np.mean([np.corrcoef(one[:, i], two[:, i])[0, 1] for i in range(fewer)])
    assert svcca(x, y, 0.9) == pytest.approx(expected, abs=1e-6)


def test_linear_regression_is_scikit_learns_and_has_a_direction() -> None:
    x, y = related()
    for one, two in ((x, y), (y, x)):
        predicted = SklearnRegression().fit(one.numpy(), two.numpy()).predict(one.numpy())
        centred = two.numpy() - two.numpy().mean(axis=0)
        expected = 1 - ((two.numpy() - predicted) ** 2).sum() / (centred**2).sum()
        assert linear_regression(one, two) == pytest.approx(expected, abs=1e-10)
    assert abs(linear_regression(x, y) - linear_regression(y, x)) > 0.01


def test_regression_on_dependent_directions_is_the_least_squares_one() -> None:
    x, y = related()
    doubled = torch.cat([x, x @ normal(6, 4, seed=5)], dim=1)
    centred = doubled - doubled.mean(dim=0)
    target = (y - y.mean(dim=0)).numpy()
    fitted, *_ = np.linalg.lstsq(centred.numpy(), target, rcond=None)
    expected = 1 - ((target - centred.numpy() @ fitted) ** 2).sum() / (target**2).sum()
    assert linear_regression(doubled, y) == pytest.approx(expected, abs=1e-9)
    assert linear_regression(doubled, y) == pytest.approx(linear_regression(x, y), abs=1e-9)


def test_relative_representation_is_a_loop_over_tokens() -> None:
    x, y = related()
    found = []
    for token in range(len(x)):
        vectors = []
        for part in (x.numpy(), y.numpy()):
            cosines = [
                part[token] @ part[anchor] / np.linalg.norm(part[token]) / np.linalg.norm(part[anchor])
                for anchor in range(50)
            ]
            vectors.append(np.array(cosines))
        found.append(vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1]))
    assert relative_representation(x, y, x[:50], y[:50]) == pytest.approx(np.mean(found), abs=1e-10)
    assert relative_representation(x, y, anchors=50) == relative_representation(x, y, anchors=50, seed=0)
    assert relative_representation(x, y, anchors=50) != relative_representation(x, y, anchors=50, seed=1)


@pytest.mark.parametrize("measure", MEASURES)
def test_identical_activations_give_one(measure: Measure) -> None:
    x, _ = related()
    assert measure(x, x) == pytest.approx(1, abs=1e-9)
    assert measure(x, x) <= 1


@pytest.mark.parametrize("measure", MEASURES)
def test_rotating_and_scaling_changes_nothing(measure: Measure) -> None:
    x, y = related()
    assert measure(x, 7 * y @ rotation(9)) == pytest.approx(measure(x, y), abs=1e-9)
    assert measure(x, 7 * x @ rotation(6)) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("measure", [svcca, linear_regression])
def test_those_that_whiten_do_not_see_an_invertible_map(measure: Measure) -> None:
    x, y = related()
    mapped = x @ normal(6, 6, seed=9) + 5
    if measure is svcca:
        assert svcca(mapped, y, 1.0) == pytest.approx(svcca(x, y, 1.0), abs=1e-9)
    else:
        assert measure(mapped, y) == pytest.approx(measure(x, y), abs=1e-9)


@pytest.mark.parametrize("measure", [linear_cka, svcca, relative_representation])
def test_the_order_of_the_two_does_not_matter(measure: Measure) -> None:
    x, y = related()
    assert measure(x, y) == pytest.approx(measure(y, x), abs=1e-12)


def test_independent_noise_is_near_its_expectation() -> None:
    n, d_x, d_y = 4000, 20, 30
    x, y = normal(n, d_x), normal(n, d_y, seed=1)
    # Of independent normal activations E R^2 = d_x / (n - 1) (it is beta distributed), E |cov|_F^2 = d_x d_y / n and
    # E |cov(x, x)|_F^2 = d_x (1 + (d_x + 1) / n).
    assert linear_regression(x, y) == pytest.approx(d_x / (n - 1), rel=0.2)
    norms = (d_x * (1 + (d_x + 1) / n) * d_y * (1 + (d_y + 1) / n)) ** 0.5
    assert linear_cka(x, y) == pytest.approx(d_x * d_y / n / norms, rel=0.2)
    # The squared canonical correlations sum to d_x d_y / n, and their mean is at most the root of their mean square.
    assert 0.7 * (d_y / n) ** 0.5 < svcca(x, y, 1.0) < 1.1 * (d_y / n) ** 0.5
    assert relative_representation(x, y) == pytest.approx(0, abs=0.01)


def test_svcca_stays_in_zero_to_one_where_an_unsymmetric_form_does_not() -> None:
    """Nearly dependent directions, fewer tokens than directions."""
    x = normal(30, 40)
    y = torch.cat([x[:, :20] * 1e-5, normal(30, 20, seed=3)], dim=1)
    for variance in (0.5, 0.99, 1.0):
        assert 0 <= svcca(x, y, variance) <= 1
    with pytest.raises(UserError, match="variance=0"):
        svcca(x, y, 0)
    with pytest.raises(UserError, match="variance=1"):
        svcca(x, y, 1.5)


def test_streamed_over_many_sites_they_are_the_same() -> None:
    x, y = related()
    sites = [x, y, x @ rotation(6), normal(400, 4, seed=8)]
    single = [site.float() for site in sites]

    def blocks(chosen: Sequence[int]) -> list[list[Tensor]]:
        return [list(part) for part in zip(*(single[site].split(90) for site in chosen), strict=True)]

    covariances = Covariances(blocks, [site.shape[1] for site in sites])
    for found, plain in zip(
        similarities(covariances, [LinearCka(), Svcca(), LinearRegression()], ["a", "b", "c", "d"]),
        (linear_cka, svcca, lambda one, two: linear_regression(two, one)),
        strict=True,
    ):
        for i, one in enumerate(sites):
            for j, two in enumerate(sites):
                assert float(found.matrix[i, j]) == pytest.approx(plain(one, two), abs=1e-5)
    constant = Covariances(lambda chosen: [[torch.full((9, 2), 0.3 + site) for site in chosen]], [2, 2])
    with pytest.raises(UserError, match="activations of here are the same"):
        similarities(constant, [LinearCka()], ["here", "there"])
    relative = RelativeRepresentations([site[:64] for site in single])
    for part in blocks(range(4)):
        relative.add(part)
    found = relative.similarity()
    for i in range(4):
        for j in range(4):
            expected = relative_representation(sites[i], sites[j], sites[i][:64], sites[j][:64])
            assert float(found[i, j]) == pytest.approx(expected, abs=1e-5)


def test_anchors_that_do_not_fit_are_refused() -> None:
    x, y = related()
    with pytest.raises(UserError, match="one of x and y only"):
        relative_representation(x, y, x[:5])
    with pytest.raises(UserError, match="do not fit"):
        relative_representation(x, y, x[:5], y[:6])
    with pytest.raises(UserError, match="do not fit"):
        relative_representation(x, y, y[:5], x[:5])
    with pytest.raises(UserError, match="anchors=0"):
        relative_representation(x, y, anchors=0)
    with pytest.raises(UserError, match="anchors_y holds"):
        relative_representation(x, y, x[:2], y[:2] * torch.inf)
    with pytest.raises(UserError, match="is zero"):
        relative_representation(x * (torch.arange(400) > 0)[:, None], y)


def test_the_table_loads_no_tensor_library() -> None:
    program = "import sys, itda_core.comparison.measures.table; assert not {'torch', 'numpy'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_all_that_the_table_names_is_there() -> None:
    for measure in TABLE:
        found = resolve_name(measure.compute)
        if measure.needs == "covariances":
            assert found().name == measure.name
        else:
            assert callable(found)
        assert measure_named(measure.name) is measure
    assert measure_named("cosine") is None


def test_every_measure_has_words_for_people_and_one_step_of_a_study() -> None:
    assert all(measure.title and measure.asks in measure.caption for measure in TABLE)
    assert [step for step, _ in steps()] == [
        "Jaccard of the dictionaries",
        "soft codes",
        "covariances",
        "relative representations",
    ]
    assert sorted(measure.name for _, measures in steps() for measure in measures) == sorted(
        measure.name for measure in TABLE
    )
    for _, measures in steps():
        assert len({measure.needs == "covariances" for measure in measures}) == 1


def test_what_is_no_measure_is_refused() -> None:
    check_measures(["svcca"])
    with pytest.raises(UserError, match="Measure 'cosine' does not exist; choose among itda, itda_codes, linear_cka"):
        check_measures(["svcca", "cosine"])
    with pytest.raises(UserError, match="No measure was chosen; choose among itda"):
        check_measures([])
