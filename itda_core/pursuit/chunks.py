"""What all pursuits share: the checks at the border, and tokens taken in chunks that fit in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import Protocol

import torch
from torch import Tensor

from itda_core.arguments import plain
from itda_core.errors import UserError
from itda_core.pursuit import kernels
from itda_core.pursuit.code import SparseCode, power_of_two, working_dtype
from itda_core.pursuit.forms import ATOMS_AT_ONCE, Form, GramForm, ResidualForm
from itda_core.pursuit.given import as_tensor
from itda_core.pursuit.memory import empty, free_memory
from itda_core.pursuit.methods import Method, method_named
from itda_core.pursuit.precision import FIXED_ONE, wide_dtype


class Algorithm(Protocol):
    """A plain pursuit; see matching.matching."""

    def __call__(
        self, form: Form, energy: Tensor, k: int, stop: Tensor, *, signed: bool
    ) -> tuple[SparseCode, Tensor]: ...


CPU_MEMORY = 32 * 2**20  # about the size of a large cache, and enough tokens for the matrix product to be at its best
ACCELERATOR_MEMORY = 2**30
SCREENED_FROM = 4096  # atoms, above which a float32 Gram matrix has to be read from beyond the cache


@torch.no_grad()
def in_chunks(
    method: str,
    x: Tensor,
    atoms: Tensor,
    k: int,
    gram: Tensor | None,
    tolerance: float,
    memory_bytes: int | None,
    non_negative: bool,
) -> SparseCode:
    """Encode tokens x (n_tokens, d_model) in chunks of about `memory_bytes`; see matching_pursuit.

    By the Gram matrix, `method` is compiled for the device where it can be; otherwise, and without the Gram matrix, its
    algorithm runs as it stands. Raises UserError as matching_pursuit does, and for what the method cannot do.
    """
    pursuit = method_named(method)
    x, atoms = as_tensor(x, "Activations"), as_tensor(atoms, "Atoms")
    gram = None if gram is None else as_tensor(gram, "Gram matrices")
    k, tolerance, memory_bytes = plain(k), plain(tolerance), plain(memory_bytes)
    check(x, atoms, k, gram, tolerance, memory_bytes)
    if non_negative and not pursuit.non_negative:
        raise UserError(f"The {pursuit.title} gives signed codes only; choose another pursuit for non-negative ones.")
    dtype = working_dtype(torch.promote_types(x.dtype, atoms.dtype))
    atoms, signed = atoms.to(dtype).contiguous(), not non_negative
    indices = torch.zeros(x.shape[0], k, dtype=torch.int64, device=x.device)
    coefficients = torch.zeros(x.shape[0], k, dtype=x.dtype, device=x.device)
    if memory_bytes is None:
        memory_bytes = CPU_MEMORY if x.device.type == "cpu" else ACCELERATOR_MEMORY
    with exact_products():
        if gram is None and (pursuit.needs_gram or pays(len(x), len(atoms), k)):
            gram = gram_matrix(atoms, method)
        gram = usable_gram(gram, pursuit, atoms)
        size = min(len(x), max(1, memory_bytes // bytes_per_token(atoms, k, gram, method, signed=signed)))
        # One place for all chunks' correlations: fresh memory costs more than what is written to it.
        room = empty((0 if gram is None else size, len(atoms)), dtype, x.device)
        for start in range(0, len(x), max(1, size)):
            chunk = slice(start, start + size)
            part = x[chunk].to(dtype)
            check_finite(part, start, len(x))
            scale = power_of_two(part)
            part = part / scale
            energy = part.to(wide_dtype(part)).square().sum(dim=1)
            stop = energy * tolerance if tolerance > 0 else torch.full_like(energy, -math.inf)
            if gram is None:
                code, _ = algorithm_of(pursuit)(ResidualForm(part, atoms), energy, k, stop, signed=signed)
            else:
                correlations = torch.mm(part, atoms.T, out=room[: len(part)])
                if gram.dtype == torch.int16:
                    code, _ = kernels.screened_matching(part, atoms, correlations, gram, energy, k, stop, signed=signed)
                else:
                    code, _ = by_gram(method, correlations, gram, energy, k, stop, signed=signed)
            indices[chunk] = code.indices
            coefficients[chunk] = (code.coefficients * scale).to(x.dtype)
    if not torch.isfinite(coefficients).all():
        raise UserError(
            f"Some coefficients exceed what {name(x.dtype)} can hold; convert the activations to float32 first."
        )
    return SparseCode(indices, coefficients)


def by_gram(
    method: str,
    correlations: Tensor,
    gram: Tensor,
    energy: Tensor,
    k: int,
    stop: Tensor,
    *,
    signed: bool = True,
) -> tuple[SparseCode, Tensor]:
    """A pursuit by the Gram matrix, unchecked: compiled where there is a kernel, plain elsewhere.

    correlations: <x, atom> (n_tokens, n_atoms), may be overwritten; the rest as in kernels.cpu.matching.
    """
    kernel = kernels.gram_kernel(method, correlations, signed=signed)
    if kernel is not None:
        return kernel(correlations, gram, energy, k, stop, signed=signed)
    return algorithm_of(method_named(method))(GramForm(correlations, gram), energy, k, stop, signed=signed)


def algorithm_of(method: Method) -> Algorithm:
    """The plain pursuit of that row, loaded."""
    return resolve_name(method.algorithm)


def gram_dtype(atoms: Tensor, method: str) -> torch.dtype:
    """By which kind of Gram matrix the pursuit `method` is quickest without losing a digit.

    For matching pursuit on a CPU with more than SCREENED_FROM atoms int16, in units of 1 / FIXED_ONE: that is half the
    reading, and only the places to look at are taken from it. Otherwise that of the arithmetic, float32 or float64.
    Raises UserError for an unknown method.
    """
    if method_named(method).screened and len(atoms) > SCREENED_FROM and kernels.has_screen(atoms):
        return torch.int16
    return working_dtype(atoms.dtype)


def gram_matrix(atoms: Tensor, method: str = "mp", *, dtype: torch.dtype | None = None) -> Tensor | None:
    """atoms @ atoms.T for the pursuit `method`; None where it would take more than a quarter of the free memory.

    atoms: (n_atoms, d_model). Returns (n_atoms, n_atoms) in `dtype`, or in the one that `gram_dtype` advises. float16
    takes half the room of float32 and leaves three to four digits of the coefficients right.
    """
    wide = working_dtype(atoms.dtype)
    dtype = dtype or gram_dtype(atoms, method)
    if len(atoms) ** 2 * dtype.itemsize > free_memory(atoms.device) // 4:
        return None
    atoms = atoms.to(wide)
    gram = empty((len(atoms), len(atoms)), dtype, atoms.device)
    with exact_products():
        for start in range(0, len(atoms), ATOMS_AT_ONCE):
            rows = gram[start : start + ATOMS_AT_ONCE]
            if dtype == wide:
                torch.mm(atoms[start : start + ATOMS_AT_ONCE], atoms.T, out=rows)
            else:
                products = atoms[start : start + ATOMS_AT_ONCE] @ atoms.T
                rows.copy_(to_fixed(products) if dtype == torch.int16 else products)
    return gram


def to_fixed(gram: Tensor) -> Tensor:
    """A Gram matrix of unit atoms as int16 in units of 1 / FIXED_ONE; what is given is overwritten."""
    return gram.mul_(FIXED_ONE).round_().to(torch.int16)


def usable_gram(gram: Tensor | None, method: Method, atoms: Tensor) -> Tensor | None:
    """A Gram matrix as the method takes it here, rows contiguous: float16 as it is, int16 too where there is a screen,
    everything else in the dtype of `atoms`. Raises UserError where there is none and the method needs one.
    """
    if gram is None:
        if method.needs_gram:
            raise UserError(
                f"There is no room for the Gram matrix of {len(atoms):,} atoms, without which the {method.title} "
                "cannot work; free memory, or choose another pursuit."
            )
        return None
    if gram.dtype == torch.int16:
        screened = method.screened and kernels.has_screen(atoms)
        return (gram if screened else gram.to(atoms.dtype).div_(FIXED_ONE)).contiguous()
    return (gram if gram.dtype == torch.float16 else gram.to(atoms.dtype)).contiguous()


def pays(n_tokens: int, n_atoms: int, k: int) -> bool:
    """Whether computing the Gram matrix costs less than correlating every residual with all atoms at every step."""
    return n_atoms < n_tokens * (k - 1)


@contextmanager
def exact_products() -> Iterator[None]:
    """Float32 matrix products in float32: never in TF32 or bfloat16, whatever the program has set for its models."""
    before = torch.get_float32_matmul_precision()
    if before == "highest":
        yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def bytes_per_token(atoms: Tensor, k: int, gram: Tensor | None, method: str, *, signed: bool) -> int:
    """What one token of a chunk holds: its activation and its code, and by the Gram matrix its correlations (and where
    no kernel is compiled for them, their copies); otherwise the residual and the chosen atoms, and the correlations
    with the atoms of one turn.
    """
    n_atoms, d_model = atoms.shape
    own, code = 3 * d_model * atoms.element_size(), 8 * k * (k + 4)
    if gram is None:
        return own + code + (min(n_atoms, ATOMS_AT_ONCE) * 2 + k * d_model) * atoms.element_size()
    copies = 1 if kernels.gram_kernel(method, atoms, signed=signed) is not None else 5
    return own + code + n_atoms * copies * atoms.element_size()


def check(x: Tensor, atoms: Tensor, k: int, gram: Tensor | None, tolerance: float, memory_bytes: int | None) -> None:
    """Raises UserError for input no pursuit can work with."""
    if x.ndim != 2 or atoms.ndim != 2 or x.shape[1] != atoms.shape[1]:
        raise UserError(
            f"Activations of shape {tuple(x.shape)} do not fit atoms of shape {tuple(atoms.shape)}; "
            "give (n_tokens, d_model) and (n_atoms, d_model) of the same d_model."
        )
    if not (x.is_floating_point() and atoms.is_floating_point()):
        raise UserError(f"Activations are {name(x.dtype)} and atoms {name(atoms.dtype)}; convert both to float32.")
    if x.device != atoms.device:
        raise UserError(f"Activations are on {x.device} and atoms on {atoms.device}; move one to the other's device.")
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise UserError(f"k={k!r:.200} is not a number of atoms per token; choose a whole number of at least 1.")
    if k > atoms.shape[0]:
        raise UserError(f"k={k} exceeds the dictionary's {atoms.shape[0]} atoms; lower k or train further")
    if gram is not None and (tuple(gram.shape) != (atoms.shape[0],) * 2 or gram.device != atoms.device):
        raise UserError(
            f"The Gram matrix has shape {tuple(gram.shape)} on {gram.device} for {atoms.shape[0]} atoms on "
            f"{atoms.device}; give atoms @ atoms.T."
        )
    if not 0 <= tolerance < 1:
        raise UserError(f"tolerance={tolerance} is not a relative squared error; choose 0 up to, but not, 1.")
    if memory_bytes is not None and memory_bytes < 1:
        raise UserError(f"memory_bytes={memory_bytes} leaves no room for a single token; choose a positive number.")
    check_unit_norm(atoms)


def check_finite(x: Tensor, start: int, n_tokens: int) -> None:
    """Raises UserError when an activation has a NaN or an infinite entry.

    x: some activations (n, d_model), those from number `start` on of `n_tokens`.
    """
    finite = torch.isfinite(x)
    if not finite.all():
        row = start + int((~finite).any(dim=1).nonzero()[0])
        raise UserError(
            f"Activation {row} of {n_tokens} contains NaN or infinity; "
            "run the model in float32 or leave that token out."
        )


def check_unit_norm(atoms: Tensor) -> None:
    """Raises UserError when an atom's norm is not 1 (to what its dtype can show). atoms: (n_atoms, d_model)."""
    norms = torch.linalg.vector_norm(atoms, dim=1, dtype=working_dtype(atoms.dtype))
    slack = 1e-3 if working_dtype(atoms.dtype) == atoms.dtype else 1e-2
    wrong = ~((norms - 1).abs() <= slack)  # true for NaN as well
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise UserError(f"Atom {row} has norm {float(norms[row]):.4g}; divide every atom by its norm first.")


def name(dtype: torch.dtype) -> str:
    """ "float16" for torch.float16."""
    return str(dtype).removeprefix("torch.")
