"""The textbook loop is a matching pursuit: the same as a plain NumPy loop, and as ours."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from itda_core.pursuit import matching_pursuit
from itda_core.pursuit.kernels import textbook


def problem(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    atoms = torch.randn(60, 12, generator=generator, dtype=dtype) + 0.5
    return torch.randn(25, 12, generator=generator, dtype=dtype), atoms / atoms.norm(dim=1, keepdim=True)


def test_it_is_what_a_plain_loop_gives() -> None:
    x, atoms = problem()
    expected = np.zeros((25, 60))
    rows = atoms.numpy()
    for token, activation in enumerate(x.numpy()):
        residual = activation.copy()
        for _ in range(30):
            correlations = rows @ residual
            best = int(np.argmax(np.abs(correlations)))
            expected[token, best] += correlations[best]
            residual -= correlations[best] * rows[best]
    np.testing.assert_allclose(textbook.matching_pursuit(x, atoms, 30).numpy(), expected, atol=1e-10)


def test_ours_gives_the_same_code() -> None:
    x, atoms = problem()
    for gram in (None, atoms @ atoms.T):
        code = matching_pursuit(x, atoms, 30, gram=gram).merged()
        dense = torch.zeros(25, 60, dtype=torch.float64).scatter_add_(1, code.indices, code.coefficients)
        torch.testing.assert_close(textbook.matching_pursuit(x, atoms, 30), dense, atol=1e-9, rtol=0)


def test_it_leaves_its_input_alone() -> None:
    x, atoms = problem(torch.float32)
    before = x.clone()
    textbook.matching_pursuit(x, atoms, 5)
    assert torch.equal(x, before)
