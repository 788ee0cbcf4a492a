"""Atoms in the plane: PCA against NumPy's singular vectors, UMAP keeps groups together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from itda_core.analysis.atoms import layout
from itda_core.analysis.atoms.layout import pca, umap
from itda_core.errors import UserError


def atoms(n: int = 120, width: int = 16, seed: int = 0) -> torch.Tensor:
    """Two groups of unit vectors, the first half about one direction, the second about another."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(2, width, generator=generator) * 3
    x = centres.repeat_interleave(n // 2, 0) + torch.randn(n, width, generator=generator)
    return torch.nn.functional.normalize(x, dim=-1)


def test_pca_is_that_of_the_singular_vectors() -> None:
    x = atoms()
    found = pca(x)
    centred = (x - x.mean(0)).numpy().astype(np.float64)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    expected = u[:, :2] * s[:2]
    for axis in range(2):
        ours, theirs = found.places[:, axis], expected[:, axis]
        assert abs(np.corrcoef(ours, theirs)[0, 1]) == pytest.approx(1, abs=1e-5)
    assert found.explained == pytest.approx((s[:2] ** 2).sum() / (s**2).sum(), rel=1e-6)
    spread = found.places.std(0)
    assert spread[0] / spread[1] == pytest.approx(s[0] / s[1], rel=1e-4), "both axes have one scale"
    assert np.abs(found.places).max() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("x", [torch.ones(1, 3), torch.ones(5, 3), torch.ones(3, 1), torch.zeros(0, 4)])
def test_pca_of_next_to_nothing_is_finite(x: torch.Tensor) -> None:
    found = pca(x)
    assert found.places.shape == (len(x), 2)
    assert np.isfinite(found.places).all()


def test_a_sample_gives_the_directions_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    x = atoms(400)
    whole = pca(x).places
    monkeypatch.setattr(layout, "_SAMPLED", 100)
    some = pca(x).places
    assert abs(np.corrcoef(whole[:, 0], some[:, 0])[0, 1]) > 0.99


def test_umap_keeps_groups_together_and_is_the_same_again() -> None:
    pytest.importorskip("umap")
    x = atoms(60)
    found = umap(x).places
    distance = np.linalg.norm(found[:, None] - found[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    same = (distance.argmin(1) < 30) == (np.arange(60) < 30)
    assert same.mean() > 0.95
    assert np.array_equal(found, umap(x).places)


def test_what_umap_cannot_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="4 atoms or more"):
        umap(atoms(2))
    monkeypatch.setattr(layout, "umap_installed", lambda: False)
    with pytest.raises(UserError, match="not installed"):
        umap(atoms())
