from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from itda_core.dictionaries.choosing import means
from itda_core.dictionaries.choosing.means import LEAST_GAIN, means_along
from tests.tolerance import assert_clear


def unit(count: int, width: int, seed: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(count, width, generator=torch.Generator().manual_seed(seed)))


def plain(directions: np.ndarray, x: np.ndarray, most: int) -> list[list[int]]:
    """The same in loops and float64, every activation considered each time; what is best is clearly so."""
    cosines = directions @ x.T
    first: dict[int, int] = {}
    for j in sorted(range(len(directions)), key=lambda j: -cosines[j].max()):
        first[j] = next(int(i) for i in np.argsort(-cosines[j]) if i not in first.values())
    members = []
    for j, direction in enumerate(directions):
        chosen, total, best = [first[j]], x[first[j]], cosines[j][first[j]]
        while len(chosen) < most:
            reached = [
                -2 if i in chosen else (total + x[i]) @ direction / np.linalg.norm(total + x[i]) for i in range(len(x))
            ]
            second, first_ = sorted(reached)[-2:]
            assert_clear([first_], best + LEAST_GAIN)
            if max(reached) <= best + LEAST_GAIN:
                break
            assert_clear([second], first_)
            best, i = max(reached), int(np.argmax(reached))
            chosen, total = [*chosen, i], total + x[i]
        members.append(chosen)
    return members


@pytest.mark.parametrize("most", [1, 2, 5])
@pytest.mark.parametrize("entries", [means.ENTRIES, 500])
def test_members_are_those_of_a_plain_search(most: int, entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(means, "ENTRIES", entries)
    x, directions = unit(120, 10, 0), unit(25, 10, 1)
    directions[7] = directions[3]  # two directions that are nearest to the same activation
    found = means_along(directions, x, most, candidates=120)
    expected = plain(directions.double().numpy(), x.double().numpy(), most)
    got = [[i for i in row if i >= 0] for row in found.members.tolist()]
    if got[3] != expected[3]:  # which of two directions that are the same comes first, their last bits decide
        expected[3], expected[7] = expected[7], expected[3]
    assert got == expected
    sums = np.array([x.double().numpy()[row].sum(axis=0) for row in expected])
    np.testing.assert_allclose(found.atoms, sums / np.linalg.norm(sums, axis=1, keepdims=True), atol=1e-6)
    assert len(set(found.members[:, 0].tolist())) == 25


def test_more_members_come_nearer_to_a_direction() -> None:
    x, directions = unit(400, 12, 2), unit(30, 12, 3)
    cosines = [(means_along(directions, x, most, 200).atoms * directions).sum(dim=1) for most in (1, 2, 4, 8)]
    for fewer, more in pairwise(cosines):
        assert (more >= fewer - 1e-6).all()
    assert cosines[-1].mean() > 0.97
