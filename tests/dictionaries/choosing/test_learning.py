from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from itda_core.dictionaries.choosing import learning
from itda_core.dictionaries.choosing.first_atoms import TooFewActivations
from itda_core.dictionaries.choosing.learning import STEPS, errors_without, learn
from itda_core.dictionaries.choosing.means import Means
from itda_core.pursuit import SparseCode, matching_pursuit, reconstruct


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sparse_sums(count: int, features: torch.Tensor, active: int, seed: int) -> torch.Tensor:
    """Activations that are sums of a few features with positive weights, and a little noise."""
    random = seeded(seed)
    which = torch.stack([torch.randperm(len(features), generator=random)[:active] for _ in range(count)])
    weights = 0.5 + torch.rand(count, active, generator=random)
    noise = 0.02 * torch.randn(count, features.shape[1], generator=random)
    return (weights[:, :, None] * features[which]).sum(dim=1) + noise


def settled(x: torch.Tensor, n_atoms: int, k: int, members: int, seed: int = 0) -> Means:
    numbers = torch.randint(0, 2**62, (len(x),), generator=seeded(seed))
    *_, last = learn(x, numbers, n_atoms, k, members)
    assert last.means is not None
    assert last.step + 1 == last.steps
    return last.means


def unexplained(x: torch.Tensor, atoms: torch.Tensor, k: int) -> float:
    return float((x - reconstruct(matching_pursuit(x, atoms, k), atoms)).square().sum() / x.square().sum())


def test_it_is_better_than_a_random_draw_and_means_are_better_than_single_ones() -> None:
    features = normalize(torch.randn(60, 24, generator=seeded(1)))
    x, held = sparse_sums(6000, features, 3, 2), sparse_sums(1000, features, 3, 3)
    drawn = normalize(x[torch.randperm(len(x), generator=seeded(4))[:60]])
    errors = [unexplained(held, atoms, 3) for atoms in (drawn, *(settled(x, 60, 3, m).atoms for m in (1, 8)))]
    assert errors[1] < 0.93 * errors[0]
    assert errors[2] < 0.75 * errors[1]


def test_the_same_activations_give_the_same_atoms_and_others_seeds_give_others() -> None:
    x = torch.randn(3000, 8, generator=seeded(0))
    first, again, other = (settled(x, 20, 3, 4, seed) for seed in (0, 0, 1))
    assert torch.equal(first.atoms, again.atoms)
    assert torch.equal(first.members, again.members)
    assert not torch.equal(first.members, other.members)


def test_an_unused_direction_is_replaced() -> None:
    """Two clusters of very different size: the rare one has an atom in the end."""
    common = torch.tensor([1.0, 0, 0, 0]) + 0.01 * torch.randn(5000, 4, generator=seeded(0))
    rare = torch.tensor([0, 0, 0, 1.0]) + 0.01 * torch.randn(25, 4, generator=seeded(1))
    x = torch.cat([common, rare])[torch.randperm(5025, generator=seeded(2))]
    atoms = settled(x, 6, 1, 1).atoms
    assert float(atoms[:, 3].max()) > 0.99


@pytest.mark.parametrize("different", [1, 5])
def test_too_few_different_activations(different: int) -> None:
    x = torch.randn(different, 6, generator=seeded(0)).repeat(400, 1)
    with pytest.raises(TooFewActivations) as few:
        settled(x, different + 1, 2, 1)
    assert few.value.found <= different
    assert len(settled(x[: 400 * different], min(different, 1), 1, 1).atoms) == 1


def test_pulls_are_those_of_a_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "_ENTRIES", 64 * 9)
    random = seeded(0)
    indices = torch.randint(0, 9, (200, 4), generator=random)
    coefficients = torch.randn(200, 4, generator=random) * (torch.rand(200, 4, generator=random) < 0.8)
    indices[coefficients == 0] = 0
    x, directions = torch.randn(200, 5, generator=random), normalize(torch.randn(9, 5, generator=random))
    pull, use, left = learning._pulls(SparseCode(indices, coefficients), x, directions)
    residual = x - torch.einsum("ts,tsd->td", coefficients, directions[indices])
    expected, weight = np.zeros((9, 5)), np.zeros(9)
    for i in range(200):
        for atom in range(9):
            c = coefficients[i, indices[i] == atom].double().sum().item()  # taken again counts once, with the sum
            expected[atom] += c * residual[i].double().numpy()
            weight[atom] += c * c
    np.testing.assert_allclose(pull, expected, atol=1e-4)
    np.testing.assert_allclose(use, weight, rtol=1e-5)
    np.testing.assert_allclose(left, residual.square().sum(dim=1), rtol=1e-4)


@pytest.mark.parametrize("stopped_after", [1, 8, 9, 37, 63, 64])
def test_choosing_goes_on_from_any_step(stopped_after: int) -> None:
    """To the bit, from nothing but what the step left, in places of its own."""
    x = torch.randn(3000, 8, generator=seeded(0))
    numbers = torch.randint(0, 2**62, (len(x),), generator=seeded(1))
    straight = list(learn(x, numbers, 40, 3, 4))
    assert [step.step for step in straight] == list(range(STEPS))
    begun = straight[stopped_after - 1].choosing
    places: list[torch.Tensor] = []

    def room_for(n_rows: int) -> torch.Tensor:
        places.append(torch.full((n_rows, 8), float("nan")))
        return places[-1]

    rest = list(learn(x, numbers, 40, 3, 4, room_for=room_for, begun=begun))
    assert len(places) == 2
    assert [step.step for step in rest] == (list(range(stopped_after, STEPS)) or [STEPS - 1])
    assert rest[-1].means is not None
    assert straight[-1].means is not None
    assert torch.equal(rest[-1].means.atoms, straight[-1].means.atoms)
    assert torch.equal(rest[-1].means.members, straight[-1].means.members)
    assert [one.choosing.relative_error for one in rest[:-1]] == [
        one.choosing.relative_error for one in straight[stopped_after:-1]
    ]


@pytest.mark.parametrize("entries", [learning._ENTRIES, 40])
def test_errors_without_an_atom_are_those_of_a_pursuit_that_has_not_got_it(
    entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "_ENTRIES", entries)
    atoms = normalize(torch.randn(12, 6, generator=seeded(0)))
    x, own = normalize(torch.randn(30, 6, generator=seeded(1))), torch.arange(30) % 12
    found = errors_without(x, own, atoms, 3)
    for i in range(30):
        others = torch.cat([atoms[: own[i]], atoms[own[i] + 1 :]])
        assert float(found[i]) == pytest.approx(unexplained(x[i : i + 1], others, 3), abs=1e-6)
