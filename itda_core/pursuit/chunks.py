"""What all pursuits share: the checks at the border, and tokens taken in chunks that fit in memory."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from itda_core.errors import UserError
from itda_core.pursuit.code import SparseCode, power_of_two, working_dtype
from itda_core.pursuit.forms import Form, GramForm, ResidualForm, wide_dtype

Algorithm = Callable[[Form, Tensor, int, Tensor], tuple[SparseCode, Tensor]]

CPU_MEMORY = 8 * 2**20  # stays in the cache, which is faster than large chunks
ACCELERATOR_MEMORY = 2**30


@torch.no_grad()
def in_chunks(
    algorithm: Algorithm,
    x: Tensor,
    atoms: Tensor,
    k: int,
    gram: Tensor | None,
    tolerance: float,
    memory_bytes: int | None,
) -> SparseCode:
    """Run `algorithm` over tokens x (n_tokens, d_model) in chunks of about `memory_bytes`; see matching_pursuit."""
    check(x, atoms, k, gram, tolerance, memory_bytes)
    dtype = working_dtype(torch.promote_types(x.dtype, atoms.dtype))
    atoms = atoms.to(dtype)
    gram = None if gram is None else gram.to(dtype)
    if memory_bytes is None:
        memory_bytes = CPU_MEMORY if x.device.type == "cpu" else ACCELERATOR_MEMORY
    indices = torch.zeros(x.shape[0], k, dtype=torch.int64, device=x.device)
    coefficients = torch.zeros(x.shape[0], k, dtype=x.dtype, device=x.device)
    chunk = max(1, memory_bytes // bytes_per_token(atoms, k, gram))
    for start in range(0, x.shape[0], chunk):
        part = x[start : start + chunk].to(dtype)
        scale = power_of_two(part)
        part = part / scale
        form = ResidualForm(part, atoms) if gram is None else GramForm(part @ atoms.T, gram)
        energy = part.to(wide_dtype(part)).square().sum(dim=1)
        stop = energy * tolerance if tolerance > 0 else torch.full_like(energy, -math.inf)
        code, _ = algorithm(form, energy, k, stop)
        indices[start : start + chunk] = code.indices
        coefficients[start : start + chunk] = (code.coefficients * scale).to(x.dtype)
    if not torch.isfinite(coefficients).all():
        raise UserError(
            f"Some coefficients exceed what {name(x.dtype)} can hold; convert the activations to float32 first."
        )
    return SparseCode(indices, coefficients)


def bytes_per_token(atoms: Tensor, k: int, gram: Tensor | None) -> int:
    """What one token of a chunk holds: correlations and their copies, the residual or its like, the growing inverse."""
    n_atoms, d_model = atoms.shape
    width = n_atoms * (4 * atoms.element_size() + 5) + 4 * d_model * atoms.element_size() + 8 * k * (k + 4)
    return width if gram is not None else width + k * d_model * atoms.element_size()


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
        raise UserError(f"k={k} is not a number of atoms per token; choose a whole number of at least 1.")
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
    check_finite(x)
    check_unit_norm(atoms)


def check_finite(x: Tensor) -> None:
    """Raises UserError when an activation has a NaN or an infinite entry. x: (n_tokens, d_model)."""
    finite = torch.isfinite(x)
    if not finite.all():
        row = int((~finite).any(dim=1).nonzero()[0])
        raise UserError(
            f"Activation {row} of {x.shape[0]} contains NaN or infinity; "
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
