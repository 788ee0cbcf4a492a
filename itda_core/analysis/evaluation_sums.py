"""Running sums behind an evaluation: float64, one batch of tokens at a time, nothing kept per token."""

from __future__ import annotations

import torch
from torch import Tensor

from itda_core.pursuit import SparseCode, relative_error

_ENTRIES_AT_ONCE = 2**24  # logits turned into log-probabilities at once: 64 MiB in float32


class Spread:
    """The sum of squared distances of a stream of activations from their mean.

    Batches are merged by the pairwise update of Chan, Golub and LeVeque ("Updating formulae and a pairwise algorithm
    for computing sample variances", 1979), which loses no digits however far the mean lies from zero.
    """

    def __init__(self) -> None:
        self.tokens = 0
        self.squares = 0.0  # sum |x - mean|^2
        self._mean: Tensor | None = None

    def take(self, x: Tensor) -> None:
        """x: (n_tokens, d_model)."""
        if not len(x):
            return
        x = _wide(x)
        mean, squares = x.mean(dim=0), float((x - x.mean(dim=0)).square().sum())
        if self._mean is None:
            self.tokens, self.squares, self._mean = len(x), squares, mean
            return
        together, apart = self.tokens + len(x), mean - self._mean
        self.squares += squares + float(apart.square().sum()) * self.tokens * len(x) / together
        self._mean = self._mean + apart * (len(x) / together)
        self.tokens = together


class ReconstructionSums:
    """How well one dictionary reconstructs a stream of activations at one k and by one method."""

    def __init__(self, n_atoms: int) -> None:
        self._tokens = 0
        self.residual = 0.0  # sum |x - x_hat|^2
        self._error = self._cosine = self._l0 = 0.0
        self._used = torch.zeros(n_atoms, dtype=torch.bool)

    def take(self, x: Tensor, x_hat: Tensor, code: SparseCode) -> None:
        """x: activations, x_hat: what `code` stands for, both after centring if the dictionary is centred.

        Both (n_tokens, d_model).
        """
        merged = code.merged()
        chosen = merged.coefficients != 0
        self._tokens += len(x)
        self.residual += float((_wide(x) - _wide(x_hat)).square().sum())
        self._error += float(_wide(relative_error(x, x_hat)).sum())
        self._cosine += float(_wide(torch.nn.functional.cosine_similarity(x, x_hat, dim=-1)).sum())
        self._l0 += int(chosen.sum())
        self._used[merged.indices[chosen].cpu()] = True

    @property
    def relative_error(self) -> float:
        return self._error / self._tokens

    @property
    def cosine(self) -> float:
        return self._cosine / self._tokens

    @property
    def l0(self) -> float:
        return self._l0 / self._tokens

    @property
    def dead_fraction(self) -> float:
        return 1 - int(self._used.sum()) / len(self._used)


class PredictionSums:
    """Cross-entropy of a stream of predictions, and their divergence from the model's own, in nats per prediction."""

    def __init__(self) -> None:
        self._predictions = 0
        self._cross_entropy = self._divergence = 0.0

    def take(self, logits: Tensor, targets: Tensor, own: Tensor | None = None) -> None:
        """One batch: logits (n_predictions, n_vocabulary), targets (n_predictions,); own: log-probabilities of the
        model left alone, as `logits`.
        """
        self._predictions += len(targets)
        rows = max(1, _ENTRIES_AT_ONCE // logits.shape[-1])
        for start in range(0, len(targets), rows):
            part = slice(start, start + rows)
            now = log_probabilities(logits[part])
            self._cross_entropy -= float(_wide(now.gather(1, targets[part, None])).sum())
            if own is not None:
                # A token that is impossible (-inf) adds nothing, whatever it is now.
                terms = (own[part].exp() * (own[part] - now)).masked_fill_(own[part] == -torch.inf, 0)
                self._divergence += float(_wide(terms.sum(dim=-1)).sum())

    @property
    def cross_entropy(self) -> float | None:
        """Mean of -log p(the token that follows); None without a prediction."""
        return self._cross_entropy / self._predictions if self._predictions else None

    @property
    def divergence(self) -> float | None:
        """Mean KL(the model's own || these); None without a prediction. It is at least 0 despite rounding."""
        return max(0.0, self._divergence / self._predictions) if self._predictions else None


def log_probabilities(logits: Tensor) -> Tensor:
    """Natural logarithms of the softmax of logits (n_predictions, n_vocabulary), float32."""
    return logits.float().log_softmax(dim=-1)


def _wide(x: Tensor) -> Tensor:
    return (x.cpu() if x.device.type == "mps" else x).double()  # Apple's GPUs have no float64
