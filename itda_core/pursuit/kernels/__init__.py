"""Pursuits written for one kind of machine; they agree with the plain ones in every choice they make.

`cpu` is compiled by Numba, `cuda` by Triton, each imported when it is first needed. Everywhere else (Apple's GPUs, a
machine without Triton) the plain pursuits run on torch alone.
"""

from __future__ import annotations

import importlib.util
import itertools
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Protocol

from itda_core.pursuit.methods import NAMES, method_named

if TYPE_CHECKING:
    from torch import Tensor

    from itda_core.pursuit.code import SparseCode

COMPILED = True  # False: the plain pursuits everywhere, which is what the compiled ones are tested against


class GramKernel(Protocol):
    """A whole pursuit by the Gram matrix, unchecked; see cpu.matching for arguments and result."""

    def __call__(
        self, correlations: Tensor, gram: Tensor, energy: Tensor, k: int, stop: Tensor, *, signed: bool = True
    ) -> tuple[SparseCode, Tensor]: ...


class Strongest(Protocol):
    """forms.strongest_and_largest."""

    def __call__(
        self, correlations: Tensor, doubt: Tensor, *, signed: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]: ...


class FusedStrongest(Protocol):
    """Correlations of residuals (n_tokens, d_model) with atoms, of which only the strongest of each block are kept."""

    def __call__(
        self, residual: Tensor, atoms: Tensor, doubt: Tensor, *, signed: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]: ...


def gram_kernel(method: str, correlations: Tensor, *, signed: bool) -> GramKernel | None:
    """The compiled pursuit `method` for these correlations; None where there is none.

    signed: False for codes without negative coefficients. Raises UserError for an unknown method.
    """
    pursuit = method_named(method)
    kernel = pursuit.cpu if _for_cpu(correlations) else pursuit.cuda if _for_cuda(correlations) else None
    return resolve_name(kernel.function) if kernel is not None and (signed or kernel.non_negative) else None


def has_screen(like: Tensor) -> bool:
    """Whether matching pursuit here goes by a Gram matrix in 16-bit fixed point as well."""
    return _for_cpu(like)


def screened_matching(
    x: Tensor,
    atoms: Tensor,
    correlations: Tensor,
    fixed: Tensor,
    energy: Tensor,
    k: int,
    stop: Tensor,
    *,
    signed: bool = True,
) -> tuple[SparseCode, Tensor]:
    """Matching pursuit by such a Gram matrix; see cpu.screened_matching."""
    from itda_core.pursuit.kernels import cpu

    return cpu.screened_matching(x, atoms, correlations, fixed, energy, k, stop, signed=signed)


def strongest(like: Tensor) -> Strongest | None:
    """The compiled maximum over correlations of this kind; None where there is none."""
    if _for_cpu(like):
        from itda_core.pursuit.kernels import cpu

        return cpu.strongest
    return None


def fused_strongest(like: Tensor) -> FusedStrongest | None:
    """The compiled correlate-and-maximum for residuals of this kind; None where there is none."""
    if _for_cuda(like):
        from itda_core.pursuit.kernels import cuda

        return cuda.strongest
    return None


def compile_ahead(*, every: bool = False) -> None:
    """Compiles matching pursuit for this CPU, or loads what was compiled before, so that nobody waits for it later.

    `every`: every pursuit, for float32 activations (not float64, nor a float16 Gram matrix); that takes ten times as
    long the first time.
    """
    import torch

    one, energy = torch.ones(1, 1), torch.ones(1, dtype=torch.float64)
    for method, signed in itertools.product(NAMES, (True, False)) if every else (("mp", True),):
        kernel = gram_kernel(method, one, signed=signed)
        if kernel is not None:
            kernel(one.clone(), one, energy, 1, energy, signed=signed)
    if every and (search := strongest(one)) is not None:
        search(one, energy.to(one.dtype))
        screened_matching(one, one, one.clone(), one.short(), energy, 1, energy)


def _for_cpu(like: Tensor) -> bool:
    return COMPILED and like.device.type == "cpu" and like.dtype.itemsize in (4, 8)


def _for_cuda(like: Tensor) -> bool:
    on_device = COMPILED and like.device.type == "cuda" and like.dtype.itemsize == 4
    return on_device and importlib.util.find_spec("triton") is not None
