"""Attention sinks: tokens a model parks its attention on, whose activations are many times longer than all others.

They say little about the text, all point the same way, and one of them outweighs thousands of tokens in a mean or a
sum of squares (Xiao et al. 2023, arXiv 2309.17453; Sun et al. 2024, arXiv 2402.17762).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from itda_core.pursuit.precision import wide_dtype

NORM_TOKENS = 2048  # first tokens of a stream, from which the median norm of a site is taken


def norms(x: Tensor) -> Tensor:
    """|x| of activations x (n_tokens, d_model), before any centring: (n_tokens,) float32."""
    return torch.linalg.vector_norm(x.to(wide_dtype(x)), dim=1).float()


def sinks_in(x: Tensor, sink_norm: float | None) -> Tensor:
    """Which of the activations x (n_tokens, d_model) are longer than `sink_norm`: (n_tokens,) bool; None: none is."""
    if sink_norm is None:
        return torch.zeros(len(x), dtype=torch.bool, device=x.device)
    return norms(x) > sink_norm


def median_norm(parts: Iterable[Tensor], limit: int = NORM_TOKENS) -> float | None:
    """The (lower) median norm of the first `limit` activations of a stream; None where all of them are zero.

    parts: (n_tokens, d_model) each, one after the other; how the stream is cut into parts changes nothing.
    """
    found: list[Tensor] = []
    for part in parts:
        found.append(norms(part[:limit]).cpu())
        limit -= len(found[-1])
        if limit <= 0:
            break
    together = torch.cat(found) if found else torch.zeros(0)
    together = together[together > 0]  # zero activations do not count
    return float(together.median()) if len(together) else None
