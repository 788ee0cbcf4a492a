from __future__ import annotations

import numpy as np
import torch

from itda_core.dictionaries.choosing.prefix_hash import draw, numbers, uniforms
from itda_core.text.windows import Prefix


def prefixes(count: int) -> list[Prefix]:
    return [Prefix(f"document {i // 50}", 0, i % 50) for i in range(count)]


def test_a_number_depends_on_prefix_and_seed_alone() -> None:
    first = numbers(prefixes(300), seed=3)
    assert torch.equal(numbers(reversed(prefixes(300)), seed=3), first.flip(0))
    assert len(set(first.tolist())) == 300
    assert not (first == numbers(prefixes(300), seed=4)).any()
    # Parts are not run together: other prefixes whose parts read alike, end to end, have other numbers.
    alike = [Prefix("1", 1, 1), Prefix("11", 1, 1), Prefix("1", 11, 1), Prefix("1", 1, 11), Prefix("\ud800", 0, 0)]
    assert len(set(numbers(alike, seed=0).tolist())) == 5


def splitmix(state: int) -> int:
    """The published generator in whole numbers of any size."""
    mask = 2**64 - 1
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & mask
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB & mask
    return state ^ (state >> 31)


def test_uniforms_are_splitmix_and_uniform() -> None:
    tokens = numbers(prefixes(4000), seed=0)
    for turn in (0, 7):
        expected = [(splitmix((n + (turn + 1) * 0x9E3779B97F4A7C15) % 2**64) >> 11) + 0.5 for n in tokens.tolist()]
        np.testing.assert_array_equal(uniforms(tokens, turn).numpy(), np.array(expected) / 2**53)
    found = uniforms(tokens, 1)
    counts = torch.histc(found.float(), bins=10, min=0, max=1)
    assert ((counts - 400).abs() < 5 * 400**0.5).all()
    assert abs(float(torch.corrcoef(torch.stack([found, uniforms(tokens, 2)]))[0, 1])) < 0.06


def test_draws_are_as_likely_as_their_weights() -> None:
    """First and second draws against the closed form of drawing one after the other without replacement."""
    weights = torch.tensor([1.0, 0.0, 2.0, 5.0])
    chances = torch.rand(40_000, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    pairs = np.array([draw(weights, row, 2).tolist() for row in chances])
    shares = np.array([1, 0, 2, 5]) / 8
    for first in (0, 2, 3):
        assert abs(np.mean(pairs[:, 0] == first) - shares[first]) < 0.01
        for second in {0, 2, 3} - {first}:
            expected = shares[first] * shares[second] / (1 - shares[first])
            assert abs(np.mean((pairs == (first, second)).all(axis=1)) - expected) < 0.01
    assert draw(weights, chances[0], 9).tolist().count(1) == 0
    assert len(draw(weights, chances[0], 9)) == 3
