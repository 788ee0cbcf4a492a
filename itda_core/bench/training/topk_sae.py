"""A TopK sparse autoencoder on the same activations, trained by SAELens (extra `sae`).

Sources: Gao et al., "Scaling and evaluating sparse autoencoders" (arXiv 2406.04093); SAELens (Bloom et al.).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from itda_core.bench.timing import timed
from itda_core.bench.training.missed import fvu

MISSING = (
    "No TopK SAE was trained, because SAELens is not installed; add the extra: "
    "pip install -c constraints.txt -e '.[sae]'."
)
LEARNING_RATE, BATCH = 3e-3, 1024
LEAST_PASSES = 20
DEAD_PASSES = 3  # without use, after which a latent counts as dead and SAELens' auxiliary loss works on it
PLATEAU, LOOKED_BACK = 0.01, 0.2  # less than so much better over the last so much of training: it has stopped improving
DECAY = 0.25  # of the steps before it: then the learning rate goes down to zero, the last fifth of all steps
CHUNK = 1024  # tokens encoded at once


class TrainedSae(NamedTuple):
    """An autoencoder and what it took."""

    decoder: Tensor  # (n_latents, d_model) unit norm
    bias: Tensor  # (d_model,) of the decoder
    reconstructed: Tensor  # (n_held, d_model), the held-out activations by its own encoder
    tokens: int  # seen, every pass counted
    seconds: float  # of training steps alone
    settled: bool  # whether it stopped improving before its time was up
    dead: int  # latents that no token of the last DEAD_PASSES used


def installed() -> bool:
    """Whether SAELens is there."""
    return importlib.util.find_spec("sae_lens") is not None


def train_topk_sae(
    x: Tensor,
    held: Tensor,
    n_latents: int,
    k: int,
    *,
    seconds: float,
    seed: int,
    on_pass: Callable[[int, float], None] = lambda passes, missed: None,
) -> TrainedSae:
    """Train on activations x (n_tokens, d_model) until what is missed of `held` (n_held, d_model) stops falling.

    SAELens' TopKTrainingSAE (its decoder normalisation, its auxiliary loss for dead latents) by SAELens' trainer (Adam,
    gradients clipped), on activations scaled to a mean norm of sqrt(d_model) as SAELens scales them, the decoder's bias
    started at their mean. Passes over x in ever new orders at a constant learning rate; once the held-out FVU fell by
    less than PLATEAU over the last LOOKED_BACK of the steps, or `seconds` near their end, the rate goes down to zero
    linearly. `on_pass` gets the passes so far and the held-out FVU after each.
    """
    from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig  # pyright: ignore[reportMissingImports]
    from sae_lens.config import SAETrainerConfig  # pyright: ignore[reportMissingImports]
    from sae_lens.training.sae_trainer import SAETrainer  # pyright: ignore[reportMissingImports]

    d_model, batch, device = x.shape[1], min(BATCH, len(x)), x.device
    scale = d_model**0.5 / float(torch.linalg.vector_norm(x.double(), dim=1).mean())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = TopKTrainingSAEConfig(d_in=d_model, d_sae=n_latents, k=k, device=str(device))
        sae = TopKTrainingSAE(config)
    with torch.no_grad():
        sae.b_dec.copy_(x.double().mean(dim=0).float() * scale)
    settings = SAETrainerConfig(
        total_training_samples=len(x),  # of its own loop, which is not used
        train_batch_size_samples=batch,
        lr=LEARNING_RATE,
        lr_end=LEARNING_RATE,
        dead_feature_window=DEAD_PASSES * (len(x) // batch),
        device=str(device),
    )
    trainer = SAETrainer(settings, sae, iter(()))
    trainer.activation_scaler.scaling_factor = scale
    orders = torch.Generator().manual_seed(seed)
    run = _Run(trainer, x, batch, orders)
    history: list[tuple[int, float]] = []
    while not settled(history) and run.seconds < seconds / (1 + DECAY):
        run.steps(len(x) // batch)
        history.append((run.tokens, fvu(held, _reconstructed(sae, held, scale))))
        on_pass(len(history), history[-1][1])
    steps = max(1, round(DECAY * trainer.n_training_steps))
    trainer.lr_scheduler = torch.optim.lr_scheduler.LinearLR(
        trainer.optimizer, start_factor=1.0, end_factor=1e-3, total_iters=steps
    )
    run.steps(steps)
    with torch.no_grad():
        decoder = torch.nn.functional.normalize(sae.W_dec.detach(), dim=1)
        bias = sae.b_dec.detach() / scale
        reconstructed = _reconstructed(sae, held, scale)
    dead = int(trainer.dead_neurons.sum())
    return TrainedSae(decoder, bias, reconstructed, run.tokens, run.seconds, settled(history), dead)


def settled(history: list[tuple[int, float]]) -> bool:
    """Whether what is missed, per number of tokens seen (one entry a pass), has stopped falling."""
    if len(history) < LEAST_PASSES:
        return False
    tokens, now = history[-1]
    before = [missed for seen, missed in history if seen <= (1 - LOOKED_BACK) * tokens]
    return now > (1 - PLATEAU) * before[-1]


class _Run:
    """Steps of a SAELens trainer over activations in memory, timed."""

    def __init__(self, trainer: Any, x: Tensor, batch: int, orders: torch.Generator) -> None:
        self.tokens, self.seconds = 0, 0.0
        self._trainer, self._x, self._batch, self._orders = trainer, x, batch, orders
        self._left: list[Tensor] = []

    def steps(self, count: int) -> None:
        spent, _ = timed(lambda: [self._step() for _ in range(count)], self._x.device.type)
        self.seconds += spent

    def _step(self) -> None:
        if not self._left:
            order = torch.randperm(len(self._x), generator=self._orders).to(self._x.device)
            self._left = [part for part in order.split(self._batch) if len(part) == self._batch]
        self._trainer.step(self._x[self._left.pop()])
        self._trainer.n_training_steps += 1
        self.tokens += self._batch


@torch.no_grad()
def _reconstructed(sae: Any, x: Tensor, scale: float) -> Tensor:
    sae.eval()
    return torch.cat([sae(part * scale) / scale for part in x.split(CHUNK)])
