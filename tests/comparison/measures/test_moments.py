"""Streamed moments against the two-pass formula."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from itda_core.comparison.measures.moments import Covariances, Moments, paired
from itda_core.errors import UserError
from tests.tolerance import assert_rounded, rounding

WIDTHS = (5, 3, 7)
CUTS = (40, 1, 300, 159)


def activations(offset: float = 0.0, seed: int = 0) -> list[Tensor]:
    """Correlated sites of the same 500 tokens, float64, whose mean is about `offset` standard deviations away."""
    random = torch.Generator().manual_seed(seed)
    shared = torch.randn(500, 4, generator=random, dtype=torch.float64)
    found = []
    for width in WIDTHS:
        mixing = torch.randn(4, width, generator=random, dtype=torch.float64)
        noise = torch.randn(500, width, generator=random, dtype=torch.float64)
        found.append(shared @ mixing + 0.3 * noise + offset * torch.randn(width, generator=random, dtype=torch.float64))
    return found


def blocks(xs: Sequence[Tensor]) -> list[list[Tensor]]:
    return [list(part) for part in zip(*(x.split(CUTS) for x in xs), strict=True)]


def two_pass(xs: Sequence[Tensor]) -> np.ndarray:
    x = torch.cat(list(xs), dim=1).double().numpy()
    centred = x - x.mean(axis=0)
    return centred.T @ centred / len(x)


def assembled(moments: Moments) -> np.ndarray:
    sites = range(len(WIDTHS))
    return np.block([[moments.covariance(i, j).numpy() for j in sites] for i in sites])


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_one_pass_is_the_two_pass_formula(offset: float) -> None:
    xs = activations(offset)
    moments = Moments(WIDTHS)
    for part in blocks(xs):
        moments.add(part)
    moments.add([x[:0] for x in xs])
    assert moments.count == 500
    everything = torch.cat(xs, dim=1)
    # 500 products, of what is centred (a difference of figures as large as the largest) with what is centred.
    spread = (everything - everything.mean(dim=0)).abs().max()
    assert_rounded(assembled(moments), two_pass(xs), 500, float(spread * everything.abs().max()), torch.float64)
    for i, x in enumerate(xs):
        assert_rounded(moments.mean(i), x.mean(dim=0), 500, float(x.abs().max()), torch.float64)


def test_float32_products_keep_their_digits_of_badly_centred_activations() -> None:
    xs = [x.float() for x in activations(1e3)]
    drifting = [x + torch.linspace(0, 300, 500)[:, None] for x in xs]
    for given in (xs, drifting):
        moments = Moments(WIDTHS)
        for part in blocks(given):
            moments.add(part)
        expected = two_pass(given)
        assert_rounded(assembled(moments), expected, max(CUTS))  # the longest sum in float32
    # The textbook sums, sum x x' / n - mean mean', lose them all.
    x = torch.cat(xs, dim=1)
    textbook = (x.T @ x / 500 - torch.outer(x.mean(dim=0), x.mean(dim=0))).numpy()
    assert np.abs(textbook - two_pass(xs)).max() > 1e-3 * np.abs(two_pass(xs)).max()


def test_half_precision_is_summed_in_float32() -> None:
    xs = [x.bfloat16() for x in activations()]
    moments = Moments(WIDTHS)
    moments.add(xs)
    expected = two_pass([x.double() for x in xs])
    # Sums of 500 products. No covariance, and no sum of products' magnitudes, exceeds the largest variance.
    assert_rounded(assembled(moments), expected, 500, expected.diagonal().max())
    assert rounding(500) < 0.1 * torch.finfo(torch.bfloat16).eps  # sums in half precision would be seen


@pytest.mark.parametrize("entries", [10_000, 70, 10])
def test_tiles_are_the_whole(entries: int) -> None:
    xs = activations(3.0)
    asked: list[int] = []

    def given(sites: Sequence[int]) -> list[list[Tensor]]:
        asked.append(sum(WIDTHS[site] for site in sites))
        return blocks([xs[site] for site in sites])

    covariances = Covariances(given, WIDTHS, entries)
    expected = two_pass(xs)
    scale = float(torch.cat(xs, dim=1).abs().max()) ** 2
    edges = np.cumsum((0, *WIDTHS))
    seen = []
    for i, j, covariance in covariances:
        seen.append((i, j))
        part = expected[edges[i] : edges[i + 1], edges[j] : edges[j + 1]]
        assert_rounded(covariance, part, 500, scale, torch.float64)
    assert sorted(seen) == [(i, j) for i in range(3) for j in range(i, 3)]
    for i, (mean, covariance) in enumerate(covariances.own()):
        assert_rounded(mean, xs[i].mean(dim=0), 500, scale**0.5, torch.float64)
        part = slice(edges[i], edges[i + 1])
        assert_rounded(covariance, expected[part, part], 500, scale, torch.float64)
    assert (len(asked) == 1) == (entries == 10_000)


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (torch.randn(5, 2), torch.randn(6, 2), "cannot be compared"),
        (torch.randn(5), torch.randn(5, 2), "cannot be compared"),
        (torch.randn(1, 2), torch.randn(1, 2), "too few"),
        (torch.randn(5, 0), torch.randn(5, 2), "too few"),
        (torch.randn(5, 2), torch.full((5, 2), torch.nan), "y holds values that are not finite"),
        (torch.randn(5, 2), torch.full((5, 2), 0.1), "y are the same for every token"),
        (torch.zeros(5, 2), torch.randn(5, 2), "x are the same for every token"),
    ],
)
def test_what_cannot_be_compared_is_refused(x: Tensor, y: Tensor, said: str) -> None:
    with pytest.raises(UserError, match=said):
        paired(x, y)
