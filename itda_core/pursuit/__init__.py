"""Sparse coding: tensors in, codes out. Knows no model, no text, no file."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from itda_core.errors import UserError
from itda_core.pursuit.chunks import gram_dtype, gram_matrix, to_fixed
from itda_core.pursuit.code import SparseCode, reconstruct, relative_error
from itda_core.pursuit.gradient import gradient_pursuit
from itda_core.pursuit.matching import matching_pursuit
from itda_core.pursuit.orthogonal import orthogonal_matching_pursuit


class Pursuit(Protocol):
    """matching_pursuit and whatever can stand in for it."""

    def __call__(
        self,
        x: Tensor,
        atoms: Tensor,
        k: int,
        *,
        gram: Tensor | None = None,
        tolerance: float = 0.0,
        memory_bytes: int | None = None,
        non_negative: bool = False,
    ) -> SparseCode: ...


PURSUITS: dict[str, Pursuit] = {
    "mp": matching_pursuit,
    "omp": orthogonal_matching_pursuit,
    "gp": gradient_pursuit,
}


def encode(
    x: Tensor, atoms: Tensor, k: int, method: str = "mp", gram: Tensor | None = None, *, non_negative: bool = False
) -> SparseCode:
    """Encode x (n_tokens, d_model) by the pursuit named `method`; the rest as in matching_pursuit.

    Raises UserError for an unknown method and for all that matching_pursuit refuses.
    """
    if method not in PURSUITS:
        raise UserError(f"There is no pursuit {method!r}; choose one of {', '.join(PURSUITS)}.")
    return PURSUITS[method](x, atoms, k, gram=gram, non_negative=non_negative)


__all__ = [
    "PURSUITS",
    "Pursuit",
    "SparseCode",
    "encode",
    "gradient_pursuit",
    "gram_dtype",
    "gram_matrix",
    "matching_pursuit",
    "orthogonal_matching_pursuit",
    "reconstruct",
    "relative_error",
    "to_fixed",
]
