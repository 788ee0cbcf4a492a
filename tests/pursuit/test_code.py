"""Codes, reconstructions and errors against dense arithmetic."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from itda_core.pursuit import SparseCode, reconstruct, relative_error


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3)), min_size=5, max_size=5), min_size=1, max_size=6)
)
def test_merged_has_each_atom_once_strongest_first_and_means_the_same(rows: list[list[tuple[int, int]]]) -> None:
    indices = torch.tensor([[index if value else 0 for index, value in row] for row in rows])
    coefficients = torch.tensor([[float(value) for _, value in row] for row in rows])
    merged = SparseCode(indices, coefficients).merged()
    assert merged.indices.shape == indices.shape
    for row, got_indices, got in zip(rows, merged.indices.tolist(), merged.coefficients.tolist(), strict=True):
        sums: dict[int, float] = {}
        for index, value in row:
            sums[index] = sums.get(index, 0.0) + value
        expected = sorted(((i, v) for i, v in sums.items() if v), key=lambda pair: (-abs(pair[1]), pair[0]))
        expected += [(0, 0.0)] * (5 - len(expected))
        assert list(zip(got_indices, got, strict=True)) == expected


def test_merged_keeps_the_dtype_and_takes_empty_codes() -> None:
    code = SparseCode(torch.tensor([[2, 2]]), torch.tensor([[1.0, 0.5]], dtype=torch.float16)).merged()
    assert code.coefficients.dtype == torch.float16
    assert code.coefficients.tolist() == [[1.5, 0.0]]
    empty = SparseCode(torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, 3)).merged()
    assert empty.indices.shape == (0, 3)


def test_reconstruct_is_the_dense_product() -> None:
    random = torch.Generator().manual_seed(0)
    atoms = torch.randn(9, 5, generator=random, dtype=torch.float64)
    indices = torch.randint(0, 9, (7, 4), generator=random)
    coefficients = torch.randn(7, 4, generator=random, dtype=torch.float64)
    dense = torch.zeros(7, 9, dtype=torch.float64).scatter_add_(1, indices, coefficients)
    torch.testing.assert_close(reconstruct(SparseCode(indices, coefficients), atoms), dense @ atoms)


def test_relative_error_in_closed_form() -> None:
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0], [1.0, 0.0], [2e25, 0.0], [1e-30, 0.0]])
    x_hat = torch.tensor([[3.0, 0.0], [0.0, 0.0], [-1.0, 0.0], [1e25, 0.0], [0.0, 0.0]])
    torch.testing.assert_close(relative_error(x, x_hat), torch.tensor([0.64, 0.0, 4.0, 0.25, 1.0]))
    assert relative_error(x.half(), x_hat.half()).dtype == torch.float32
