"""Matching pursuit (Mallat and Zhang 1993, "Matching pursuits with time-frequency dictionaries", section III)."""

from __future__ import annotations

import torch
from torch import Tensor

from itda_core.pursuit.chunks import in_chunks
from itda_core.pursuit.code import SparseCode
from itda_core.pursuit.forms import Form
from itda_core.pursuit.precision import doubt_of


def matching_pursuit(
    x: Tensor,
    atoms: Tensor,
    k: int,
    *,
    gram: Tensor | None = None,
    tolerance: float = 0.0,
    memory_bytes: int | None = None,
    non_negative: bool = False,
) -> SparseCode:
    """Encode activations: k times take the atom most correlated with the residual, and subtract its share.

    Coefficients are signed unless `non_negative`, and an atom may be taken again (it then has two slots; see
    SparseCode.merged). Equal correlations (up to the error of computing them, see precision.doubt_of) go to the lower
    index. A step that would only fit rounding is not taken.

    x: (n_tokens, d_model), any floating dtype (half precisions are computed in float32); atoms: (n_atoms, d_model),
    unit norm. gram: atoms @ atoms.T if at hand (`gram_matrix`), also in float16 (in int16 for other pursuits), which
    costs some digits of the coefficients and may tell identical atoms apart; without it, it is computed where that pays
    and fits, and otherwise the residual is correlated with all atoms at each step: the results agree up to rounding.
    tolerance: a token stops when its relative squared error falls to it (values below about 1e-6 cannot be told from
    zero in float32). memory_bytes: about how much may be held at once beside the Gram matrix; it changes nothing but
    speed. Float32 products are never taken in TF32.
    Returns indices (n_tokens, k) and coefficients (n_tokens, k).
    Raises UserError: shapes that disagree, NaN or infinity, atoms that are not unit norm, k outside 1..n_atoms.
    """
    return in_chunks("mp", x, atoms, k, gram, tolerance, memory_bytes, non_negative)


def matching(form: Form, energy: Tensor, k: int, stop: Tensor, *, signed: bool = True) -> tuple[SparseCode, Tensor]:
    """The algorithm itself, unchecked.

    energy: |x|^2 (n_tokens,); stop: residual energy at which a token is done (n_tokens,).
    Returns the code and the residual energy (n_tokens,).
    """
    n_tokens, dtype, device = len(energy), form.dtype, energy.device
    doubt = doubt_of(energy, dtype)
    index, value = form.strongest(doubt, signed)
    indices = torch.zeros(n_tokens, k, dtype=torch.int64, device=device)
    coefficients = torch.zeros(n_tokens, k, dtype=dtype, device=device)
    remaining = energy.clone()
    active = torch.ones(n_tokens, dtype=torch.bool, device=device)
    for step in range(k):
        active &= (value.abs() > doubt) & (remaining > stop)
        if not active.any():
            break
        value, index = torch.where(active, value, 0), torch.where(active, index, 0)
        indices[:, step], coefficients[:, step] = index, value
        remaining -= value.to(remaining.dtype).square()
        if step + 1 < k:
            form.subtract(form.image(index[:, None], value[:, None]))
            doubt = doubt_of(energy, dtype, coefficients)
            index, value = form.strongest(doubt, signed)
    return SparseCode(indices, coefficients), remaining.clamp_(min=0)
