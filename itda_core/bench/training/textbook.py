"""The trainer as one would write it from the paper in plain torch: what the bench compares growth with.

Both loops are written with care, but without anything that is not in the paper: no Gram matrix, no compiled code. The
dictionary lives in one buffer, allocated at its final size; activations are divided by their norm once, in advance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from itda_core.dictionaries.growing.paper import most_frequent
from itda_core.pursuit.kernels import textbook


class Grown(NamedTuple):
    """A dictionary, and how it came about."""

    atoms: Tensor  # (n_atoms, d_model) unit norm
    mean: Tensor  # (d_model,) subtracted before encoding; zero where nothing is
    tokens: int  # read until it was full, or all


@torch.no_grad()
def one_at_a_time(x: Tensor, k: int, threshold: float, atoms: int) -> Grown:
    """Grow a dictionary of at most `atoms`: each activation is judged by the dictionary as it stands in its turn.

    x: (n_tokens, d_model) float32; threshold: relative squared error above which an activation becomes an atom. Each
    of the k steps of matching pursuit is one product of the dictionary with the residual, then the largest magnitude.
    Ends with the activation that fills the dictionary. Zero activations are skipped.
    """
    directions = torch.nn.functional.normalize(x, dim=1)
    dictionary, count = x.new_empty(atoms, x.shape[1]), 0
    for number, direction in enumerate(directions):
        if not direction.any():
            continue
        residual, filled = direction.clone(), dictionary[:count]
        for _ in range(min(k, count)):
            correlations = torch.mv(filled, residual)
            best = int(correlations.abs().argmax())
            residual.sub_(filled[best], alpha=float(correlations[best]))
        if float(residual @ residual) > threshold:
            dictionary[count] = direction
            count += 1
            if count == atoms:
                return Grown(dictionary, torch.zeros_like(x[0]), number + 1)
    return Grown(dictionary[:count], torch.zeros_like(x[0]), len(x))


@torch.no_grad()
def batch_by_batch(batches: Sequence[Tensor], k: int, threshold: float, atoms: int) -> Grown:
    """Grow a dictionary of at most `atoms` by the published code's rule: a batch is judged by the dictionary before it.

    batches: (n_tokens, d_model) float32 each; threshold: mean over the dimensions of (x / |x| - x_hat / |x_hat|)^2
    above which an activation becomes an atom. While there are fewer atoms than dimensions, a batch's most frequent
    distinct activations enter first. Then the whole batch is reconstructed by k steps of matching pursuit, each one
    product of all residuals with all atoms, and all of its tokens above the threshold enter, in order, until the
    dictionary is full.
    """
    d_model = batches[0].shape[1]
    dictionary, count, tokens = batches[0].new_empty(atoms, d_model), 0, 0

    def enter(rows: Tensor) -> None:
        nonlocal count
        rows = rows[: atoms - count]
        dictionary[count : count + len(rows)] = rows
        count += len(rows)

    for batch in batches:
        if count == atoms:
            break
        tokens += len(batch)
        batch = batch[batch.any(dim=1)]
        directions = torch.nn.functional.normalize(batch, dim=1)
        if count < d_model:
            enter(directions[most_frequent(batch)[: d_model - count]])
        filled = dictionary[:count]
        x_hat = torch.nn.functional.normalize(textbook.matching_pursuit(directions, filled, k) @ filled, dim=1)
        enter(directions[(directions - x_hat).square().mean(dim=1) > threshold])
    return Grown(dictionary[:count], torch.zeros_like(dictionary[0]), tokens)
