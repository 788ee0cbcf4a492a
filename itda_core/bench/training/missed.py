"""What dictionaries miss of held-out activations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from itda_core.bench.training.textbook import Grown
from itda_core.pursuit import encode, gram_matrix, reconstruct

ENCODER = "encoder"  # the method of an autoencoder that encodes by itself


@dataclass(frozen=True)
class Missed:
    """The fraction of variance unexplained of `tokens` held-out activations."""

    method: str  # a pursuit, or ENCODER
    k: int  # atoms per token
    tokens: int
    fvu: float


def fvu(x: Tensor, x_hat: Tensor) -> float:
    """sum |x - x_hat|^2 / sum |x - mean(x)|^2 of activations (n_tokens, d_model), summed in float64."""
    x, x_hat = x.cpu().double(), x_hat.cpu().double()
    return float((x - x_hat).square().sum() / (x - x.mean(dim=0)).square().sum())


@torch.no_grad()
def missed(
    dictionary: Grown, x: Tensor, ks: Sequence[int], methods: Sequence[str], first: int | None = None
) -> Iterator[Missed]:
    """What `dictionary` misses of activations x (n_tokens, d_model) at every k by every pursuit.

    first: also of the first so many of them alone.
    """
    gram = gram_matrix(dictionary.atoms, dtype=torch.float32)
    centred = x - dictionary.mean
    for method in methods:
        for k in ks:
            x_hat = reconstruct(encode(centred, dictionary.atoms, k, method, gram), dictionary.atoms) + dictionary.mean
            yield from missed_by(x, x_hat, k, method, first)


def missed_by(x: Tensor, x_hat: Tensor, k: int, method: str, first: int | None = None) -> Iterator[Missed]:
    """What reconstructions x_hat miss of x, both (n_tokens, d_model); first: also of the first so many alone."""
    yield Missed(method, k, len(x), fvu(x, x_hat))
    if first is not None and first < len(x):
        yield Missed(method, k, first, fvu(x[:first], x_hat[:first]))
