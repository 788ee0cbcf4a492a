from __future__ import annotations

import errno
import json
import os
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from itda_core.dictionaries.choosing.prefix_hash import numbers
from itda_core.dictionaries.choosing.reservoir import LEAST_ROOM, Reservoir, reservoir_room
from itda_core.dictionaries.choosing.reservoir_segment import Segment
from itda_core.dictionaries.provenance import AtomLabel
from itda_core.errors import UserError
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
    """Which tokens of `stream` a reservoir is to hold, by sorting all of them."""
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
    on_disk=st.booleans(),
    segment=st.integers(1, 30),
    after=st.integers(0, 2),
)
def test_it_holds_the_lowest_numbers_however_the_stream_is_cut(
    count: int, room: int, cuts: list[int], seed: int, restored: int, on_disk: bool, segment: int, after: int
) -> None:
    """In memory and on disk. One cut also hands the reservoir to another one, which reads the tokens before it again,
    as a resumed run may; the one before has gone on for a while when it was killed.
    """
    tokens, x = stream(count)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr("itda_core.dictionaries.choosing.reservoir.SEGMENT_BYTES", segment * 12)
        folder = Path(name) / "reservoir" if on_disk else None
        reservoir, start, turn = Reservoir(room, seed, 3, CPU, folder), 0, 0
        while start < count:
            end = start + cuts[turn % len(cuts)]
            reservoir.add(tokens[start:end], x[start:end])
            if turn == restored:
                reservoir.tidy()
                (kept, labels), segments = reservoir.tail, reservoir.segments
                for more in range(after):  # lost with the process
                    reservoir.add(tokens[end + 9 * more : end + 9 * more + 9], x[end + 9 * more : end + 9 * more + 9])
                reservoir = Reservoir(room, seed, 3, CPU, folder)
                reservoir.restore(labels, kept, segments)
                end = max(0, start - 5)
                restored = -1
            start, turn = end, turn + 1
        expected = lowest(count, room, seed)
        assert len(reservoir) <= room + room // 4 + max(cuts)
        if folder is not None:
            assert len(reservoir.tail[1]) < segment
            reservoir.tidy()
            assert sorted(path.name for path in folder.glob("*")) == reservoir.segments
            assert not reservoir.segments or on_disk_rows(reservoir) <= 2 * room + max(cuts) + 2 * segment
        kept, drawn = reservoir.ordered()
        assert kept[:, 0].int().tolist() == expected
        assert drawn.tolist() == sorted(drawn.tolist())
        some = torch.arange(len(expected)).flip(0)[::2]
        labels = reservoir.labels(some)
        assert [(label.document, label.position) for label in labels] == [
            (f"d{expected[i] // 7}", expected[i] % 7) for i in some.tolist()
        ]
        reservoir.clear()
        assert folder is None or not folder.exists()


def on_disk_rows(reservoir: Reservoir) -> int:
    return sum(segment.size for segment in reservoir._segments)


def test_a_full_disk_loses_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itda_core.dictionaries.choosing.reservoir.SEGMENT_BYTES", 20 * 12)
    tokens, x = stream(100)
    reservoir = Reservoir(60, 0, 3, CPU, tmp_path)
    reservoir.add(tokens[:50], x[:50])
    before = reservoir.segments

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", full)
        with pytest.raises(UserError, match="disk is full"):
            reservoir.add(tokens[50:], x[50:])
    assert reservoir.segments == before
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(UserError, match="disk is full"):
            reservoir.ordered()
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    reservoir.add(tokens[90:], x[90:])  # and those before it are there as well
    assert reservoir.ordered()[0][:, 0].int().tolist() == lowest(100, 60, 0)


@pytest.mark.parametrize("file", ["activations.safetensors", "labels.parquet"])
def test_a_damaged_segment_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    monkeypatch.setattr("itda_core.dictionaries.choosing.reservoir.SEGMENT_BYTES", 20 * 12)
    tokens, x = stream(50)
    reservoir = Reservoir(60, 0, 3, CPU, tmp_path)
    reservoir.add(tokens, x)
    (tmp_path / reservoir.segments[0] / file).write_bytes(b"\x00garbage")

    def read() -> None:
        reservoir.restore([], torch.zeros(0, 3), reservoir.segments)
        reservoir.labels(torch.arange(50))

    with pytest.raises(UserError, match=f"{file} is damaged"):
        read()


@pytest.mark.parametrize("change", ["a file's digest", "its own"])
def test_digests_that_were_changed_are_damage(tmp_path: Path, change: str) -> None:
    tokens, x = stream(5)
    segment = Segment.write(tmp_path / "s", x, torch.arange(5), [AtomLabel.of(token, 0, 0.0) for token in tokens])
    assert torch.equal(Segment.open(segment.folder).activations(), x)
    path = segment.folder / "digests.json"
    said = json.loads(path.read_text())
    if change == "its own":
        said["sha256"]["digests.json"] = "0" * 64
    else:
        said["sha256"] = {"labels.parquet": said["sha256"]["labels.parquet"]}
    path.write_text(json.dumps(said))
    with pytest.raises(UserError, match=r"digests\.json"):
        Segment.open(segment.folder)


def test_how_much_it_holds() -> None:
    assert reservoir_room(10) == LEAST_ROOM
    assert reservoir_room(2_000) == 80_000
