"""What is missed is the fraction of variance that NumPy and scikit-learn find unexplained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import orthogonal_mp_gram

from itda_core.bench.training.missed import ENCODER, Missed, fvu, missed, missed_by
from itda_core.bench.training.textbook import Grown
from itda_core.pursuit.kernels import textbook


def test_fvu_is_one_minus_the_explained_variance() -> None:
    x, x_hat = torch.randn(2, 50, 6, generator=torch.Generator().manual_seed(0))
    a, b = x.numpy().astype(np.float64), x_hat.numpy().astype(np.float64)
    assert fvu(x, x_hat) == pytest.approx(((a - b) ** 2).sum() / (len(a) * a.var(axis=0).sum()))
    assert fvu(x, x) == 0
    assert fvu(x, x.mean(dim=0).expand_as(x)) == pytest.approx(1)


def test_every_k_by_every_pursuit_of_all_tokens_and_of_the_first() -> None:
    random = torch.Generator().manual_seed(1)
    atoms = torch.nn.functional.normalize(torch.randn(30, 8, generator=random), dim=1)
    mean, x = torch.randn(8, generator=random), torch.randn(40, 8, generator=random) + 2
    found = {(m.method, m.k, m.tokens): m.fvu for m in missed(Grown(atoms, mean, 0), x, (2, 4), ("mp", "omp"), 10)}
    assert set(found) == {(method, k, tokens) for method in ("mp", "omp") for k in (2, 4) for tokens in (40, 10)}
    gram, correlations = (atoms @ atoms.T).numpy(), (atoms @ (x - mean).T).numpy()
    for k in (2, 4):
        by_mp = textbook.matching_pursuit(x - mean, atoms, k) @ atoms + mean
        omp = np.asarray(orthogonal_mp_gram(gram, correlations, n_nonzero_coefs=k)).T @ atoms.numpy()
        by_omp = torch.from_numpy(omp).float() + mean
        for tokens in (40, 10):
            assert found["mp", k, tokens] == pytest.approx(fvu(x[:tokens], by_mp[:tokens]), rel=1e-4)
            assert found["omp", k, tokens] == pytest.approx(fvu(x[:tokens], by_omp[:tokens]), rel=1e-4)


def test_all_tokens_are_not_measured_twice() -> None:
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    assert list(missed_by(x, x, 2, ENCODER, 5)) == [Missed(ENCODER, 2, 5, 0.0)]
