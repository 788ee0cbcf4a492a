"""Random numbers that belong to tokens: the same for two models that read the same text, whatever their tokenizers."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from itda_core.text.windows import Prefix

_BITS = 62  # of a number: it stays a positive int64


def numbers(prefixes: Iterable[Prefix], seed: int) -> Tensor:
    """A number for each prefix, from 0 to 2^62, that depends on the prefix and the seed alone: (n_tokens,) int64."""
    found = []
    for document, start, last in prefixes:
        # The seed goes in first and figures never hold a zero byte, so that different inputs are different bytes.
        message = f"{seed}\0{start}\0{last}\0{document}".encode("utf-8", "surrogatepass")
        found.append(int.from_bytes(blake2b(message, digest_size=8).digest(), "big") >> (64 - _BITS))
    return torch.tensor(found, dtype=torch.int64)


def uniforms(tokens: Tensor, turn: int) -> Tensor:
    """Uniform numbers in (0, 1) for the numbers of some tokens, another one at each turn: (n_tokens,) float64.

    Mixed as in SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", figure 15).
    """
    import numpy as np

    with np.errstate(over="ignore"):
        mixed = tokens.cpu().numpy().astype(np.uint64) + np.uint64(turn + 1) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return torch.from_numpy(((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53)


def draw(weights: Tensor, chances: Tensor, count: int) -> Tensor:
    """Rows drawn without replacement with probability proportional to their weights, at most `count`: int64, the first
    drawn first. Rows of weight zero are never drawn.

    weights: (n_tokens,), not negative; chances: (n_tokens,) uniform in (0, 1).
    Each row waits for a time drawn from the exponential distribution of its weight, and those that come first are taken
    (Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir", whose keys these are the logarithms of).
    """
    waits = -chances.log() / weights.cpu().double()
    found = torch.argsort(waits, stable=True)[:count]
    return found[torch.isfinite(waits[found])]
