"""Encoding by the name of a pursuit."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Protocol

from torch import Tensor

from itda_core.pursuit.code import SparseCode
from itda_core.pursuit.methods import TABLE, method_named


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


PURSUITS: dict[str, Pursuit] = {method.name: resolve_name(method.function) for method in TABLE}


def encode(
    x: Tensor, atoms: Tensor, k: int, method: str = "mp", gram: Tensor | None = None, *, non_negative: bool = False
) -> SparseCode:
    """Encode x (n_tokens, d_model) by the pursuit named `method`; the rest as in matching_pursuit.

    Raises UserError for an unknown method and for all that matching_pursuit refuses.
    """
    return PURSUITS[method_named(method).name](x, atoms, k, gram=gram, non_negative=non_negative)
