"""The SAE's training around SAELens: by a stand-in for SAELens here, by itself where it is installed."""

from __future__ import annotations

import math
import sys
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from itda_core.bench.training import topk_sae
from itda_core.bench.training.missed import fvu
from itda_core.bench.training.topk_sae import DECAY, LEAST_PASSES, settled, train_topk_sae
from tests.tolerance import assert_rounded

D_MODEL, LATENTS, K, BATCH, RATE = 8, 20, 4, 32, 0.02
TOKENS = 6 * BATCH + 17


class StandInSae(nn.Module):
    """Top k of a linear encoder, a linear decoder: the names of sae_lens.TopKTrainingSAE."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.k = config.k
        self.W_dec = nn.Parameter(nn.functional.normalize(torch.randn(config.d_sae, config.d_in), dim=1))
        self.W_enc = nn.Parameter(self.W_dec.detach().T.clone())
        self.b_dec = nn.Parameter(torch.zeros(config.d_in))

    def forward(self, x: Tensor) -> Tensor:
        values, indices = ((x - self.b_dec) @ self.W_enc).topk(self.k, dim=1)
        return torch.zeros(len(x), len(self.W_dec)).scatter(1, indices, values.relu()) @ self.W_dec + self.b_dec


class StandInTrainer:
    """Adam, and the seams of sae_lens' SAETrainer that are used; remembers every batch and learning rate."""

    made: ClassVar[list[StandInTrainer]] = []

    def __init__(self, settings: SimpleNamespace, sae: StandInSae, provider: Any) -> None:
        self.sae, self.settings = sae, settings
        self.optimizer = torch.optim.Adam(sae.parameters(), lr=settings.lr)
        self.lr_scheduler: Any = torch.optim.lr_scheduler.ConstantLR(self.optimizer, factor=1.0)
        self.activation_scaler = SimpleNamespace(scaling_factor=None)
        self.n_training_steps, self.dead_neurons = 0, torch.zeros(LATENTS, dtype=torch.bool)
        self.batches: list[Tensor] = []
        self.rates: list[float] = []
        self.made.append(self)

    def step(self, batch: Tensor) -> None:
        self.batches.append(batch)
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        x = batch * self.activation_scaler.scaling_factor
        loss = (self.sae(x) - x).square().sum(dim=1).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.lr_scheduler.step()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[StandInTrainer]:
    """SAELens, in a few lines; the trainers made with it."""
    modules = {name: ModuleType(name) for name in ("sae_lens", "sae_lens.config", "sae_lens.training")}
    modules["sae_lens.training.sae_trainer"] = trainer = ModuleType("sae_lens.training.sae_trainer")
    vars(modules["sae_lens"]).update(TopKTrainingSAE=StandInSae, TopKTrainingSAEConfig=SimpleNamespace)
    vars(modules["sae_lens.config"]).update(SAETrainerConfig=SimpleNamespace)
    vars(trainer).update(SAETrainer=StandInTrainer)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(StandInTrainer, "made", [])
    monkeypatch.setattr(topk_sae, "BATCH", BATCH)
    monkeypatch.setattr(topk_sae, "LEARNING_RATE", RATE)
    return StandInTrainer.made


@pytest.fixture
def x() -> Tensor:
    """Sparse sums of 12 directions around a mean, of norms far from sqrt(D_MODEL); no two alike."""
    random = torch.Generator().manual_seed(0)
    codes = torch.rand(TOKENS, 12, generator=random) * (torch.rand(TOKENS, 12, generator=random) < 0.2)
    noise = torch.randn(TOKENS, D_MODEL, generator=random) * 0.01
    return 30 * (codes @ torch.randn(12, D_MODEL, generator=random) + 1 + noise)


def test_it_trains_until_it_stops_improving(stand_in: list[StandInTrainer], x: Tensor) -> None:
    told: list[tuple[int, float]] = []
    sae = train_topk_sae(
        x[:-50], x[-50:], LATENTS, K, seconds=600, seed=1, on_pass=lambda n, missed: told.append((n, missed))
    )
    (trainer,) = stand_in
    per_pass = len(x[:-50]) // BATCH
    assert sae.settled
    assert [n for n, _ in told] == list(range(1, len(told) + 1))
    constant = per_pass * len(told)
    assert trainer.n_training_steps == constant + round(DECAY * constant)
    assert sae.tokens == BATCH * trainer.n_training_steps == sum(map(len, trainer.batches))
    assert trainer.rates[:constant] == [RATE] * constant
    falling = trainer.rates[constant:]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] < 0.2 * RATE
    passes = [n * per_pass * BATCH for n, _ in told]
    assert settled(list(zip(passes, (missed for _, missed in told), strict=True)))
    assert not settled(list(zip(passes[:-1], (missed for _, missed in told[:-1]), strict=True)))


def test_what_it_returns_is_in_the_activations_own_scale(stand_in: list[StandInTrainer], x: Tensor) -> None:
    sae = train_topk_sae(x[:-50], x[-50:], LATENTS, K, seconds=600, seed=1)
    assert fvu(x[-50:], sae.reconstructed) < 0.2
    torch.testing.assert_close(sae.decoder.norm(dim=1), torch.ones(LATENTS))
    scale = math.sqrt(D_MODEL) / float(x[:-50].norm(dim=1).mean())
    (trainer,) = stand_in
    assert trainer.activation_scaler.scaling_factor == pytest.approx(scale, rel=1e-5)
    torch.testing.assert_close(sae.bias * scale, trainer.sae.b_dec.detach())
    # Sums over the latents of sums over the dimensions.
    assert_rounded(sae.reconstructed, trainer.sae(x[-50:] * scale).detach() / scale, D_MODEL + LATENTS)


def test_a_pass_sees_every_activation_at_most_once_in_a_new_order(stand_in: list[StandInTrainer], x: Tensor) -> None:
    train_topk_sae(x, x[:50], LATENTS, K, seconds=600, seed=1)
    (trainer,) = stand_in
    per_pass = len(x) // BATCH
    first, second = (torch.cat(trainer.batches[i : i + per_pass]) for i in (0, per_pass))
    assert len(torch.unique(first, dim=0)) == len(torch.unique(second, dim=0)) == per_pass * BATCH
    assert not torch.equal(first, second)


def test_its_time_is_kept(stand_in: list[StandInTrainer], x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock by which each call of `timed` takes a second."""
    monkeypatch.setattr(topk_sae, "timed", lambda call, device: (1.0, call()))
    sae = train_topk_sae(x, x[:50], LATENTS, K, seconds=5.0, seed=1)
    assert not sae.settled
    assert sae.seconds == 5.0  # four passes, and the fall of the rate, which is a quarter as long
    (trainer,) = stand_in
    assert trainer.n_training_steps == 4 * (len(x) // BATCH) * (1 + DECAY)


def test_the_seed_decides_and_leaves_other_draws_alone(stand_in: list[StandInTrainer], x: Tensor) -> None:
    state = torch.random.get_rng_state()
    weights = []
    for seed in (1, 1, 2):
        weights.append(train_topk_sae(x, x[:50], LATENTS, K, seconds=1e-9, seed=seed).decoder)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_settled_looks_a_fifth_back() -> None:
    flat = [(100 * n, 0.5) for n in range(1, LEAST_PASSES)]
    assert not settled(flat)  # too few passes
    assert settled([*flat, (100 * LEAST_PASSES, 0.5)])
    falling = [(100 * n, 0.5 * 0.98**n) for n in range(1, 21)]
    assert not settled(falling)  # 8% over the last fifth
    assert settled([*falling[:-5], *((100 * n, 0.37) for n in range(16, 21))])
    assert settled([*falling, (2100, 0.5)])  # it has become worse


def test_saelens_itself(x: Tensor) -> None:
    pytest.importorskip("sae_lens", reason="the extra `sae` is not installed")
    sae = train_topk_sae(x[:-50], x[-50:], LATENTS, K, seconds=20, seed=1)
    assert fvu(x[-50:], sae.reconstructed) < 0.5
    assert sae.decoder.shape == (LATENTS, D_MODEL)
    assert sae.tokens % len(x[:-50]) == 0  # a batch is all of them
