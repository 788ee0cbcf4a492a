from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from itda_core.dictionaries.draws import numbers
from itda_core.dictionaries.pool import LEAST_ROOM, Pool, pool_room
from itda_core.text.windows import TokenRef, Window

CPU = torch.device("cpu")


def stream(count: int) -> tuple[list[TokenRef], torch.Tensor]:
    """Tokens of windows of seven, two of which are pieces of one character, and an activation for each."""
    spans = ((0, 1), (1, 2), (2, 4), (4, 5), (4, 5), (5, 6), (6, 7))
    tokens = []
    for i in range(count):
        window = Window(f"d{i // 7}", "abcdefgh", 0, tuple(range(7)), spans, (False,) * 7)
        tokens.append(TokenRef(window, i % 7))
    return tokens, torch.arange(count, dtype=torch.float32)[:, None].expand(count, 3).contiguous()


def lowest(count: int, room: int, seed: int) -> list[int]:
    """Which tokens of `stream` a pool is to hold, by sorting all of them."""
    tokens, _ = stream(count)
    drawn = numbers((token.prefix for token in tokens), seed).tolist()
    return sorted(range(count), key=lambda i: (drawn[i], i))[:room]


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 120),
    room=st.integers(1, 60),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    seed=st.integers(0, 3),
    restored=st.integers(0, 5),
)
def test_it_holds_the_lowest_numbers_however_the_stream_is_cut(
    count: int, room: int, cuts: list[int], seed: int, restored: int
) -> None:
    """One cut also hands the pool to another one, which reads the tokens before it again, as a resumed run may."""
    tokens, x = stream(count)
    pool, start, turn = Pool(room, seed, 3, CPU), 0, 0
    while start < count:
        end = start + cuts[turn % len(cuts)]
        pool.add(tokens[start:end], x[start:end])
        if turn == restored:
            kept, _, labels = pool.contents()
            pool = Pool(room, seed, 3, CPU)
            pool.restore(labels, kept)
            end = max(0, start - 5)
            restored = -1
        start, turn = end, turn + 1
    kept, drawn, labels = pool.contents()
    expected = lowest(count, room, seed)
    assert kept[:, 0].int().tolist() == expected
    assert drawn.tolist() == sorted(drawn.tolist())
    assert [(label.document, label.position) for label in labels] == [(f"d{i // 7}", i % 7) for i in expected]


def test_how_much_it_holds() -> None:
    assert pool_room(10) == LEAST_ROOM
    assert pool_room(2_000) == 80_000
