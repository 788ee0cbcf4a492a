"""The files of an index against plain loops over the codes, however the work is cut, stopped and gone on with."""

from __future__ import annotations

import errno
import io
import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from itda_core import UserError
from itda_core.analysis.atoms import index_writer
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.analysis.atoms.index_format import (
    ATOM_COLUMNS,
    ENTRY_COLUMNS,
    TOKEN_COLUMNS,
    WINDOW_COLUMNS,
    IndexDescription,
    schema,
)
from itda_core.analysis.atoms.index_writer import Batch, IndexWriter
from itda_core.analysis.atoms.writing import entries_file
from tests.analysis.atoms.test_merging import by_hand

N_ATOMS, SLOTS, PER_WINDOW = 50, 4, 5
FILES = ("entries.parquet", "tokens.parquet", "windows.parquet", "atoms.parquet", "codes.npy", "index.json")
HOSTILE = [
    "<script>alert(1)</script>",
    "=1+1",
    "\x00\x1b[31m\r\n",
    "a\u202eb\u0301\U0001f600",
    "",
    "'; DROP TABLE tokens",
]


def batches(n: int, seed: int = 0) -> list[Batch]:
    """What three windows gave each, one of them nothing; atoms come again, and cancel out."""
    draw = np.random.default_rng(seed)
    made = []
    for number in range(n):
        window = np.repeat([0, 2], PER_WINDOW)
        rows = len(window)
        indices = (draw.random((rows, SLOTS)) ** 3 * N_ATOMS).astype(np.int64)
        columns: dict[str, Any] = {
            "window": window,
            "position": np.arange(rows),
            "token_id": draw.integers(0, 1000, rows),
            "char_start": np.arange(rows) * 3,
            "char_end": np.arange(rows) * 3 + 3,
            "norm": draw.random(rows).astype(np.float32) + 0.5,
            "relative_error": draw.random(rows).astype(np.float32),
            "span": draw.choice(np.array(["", "quotation/person", None], dtype=object), rows),
        }
        made.append(
            Batch(
                documents=[f"d{number}", HOSTILE[number % 4], "x"],
                starts=[0, 7, 14],
                texts=[HOSTILE[(number + i) % len(HOSTILE)] for i in range(3)],
                kinds=["story", None, HOSTILE[0]],
                tokens=columns,
                indices=indices,
                coefficients=draw.choice([0.5, -0.5, 1.25, 0, 3], (rows, SLOTS)).astype(np.float32),
                sinks=number % 2,
            )
        )
    return made


def described(writer: IndexWriter) -> IndexDescription:
    reached = writer.reached
    return IndexDescription(
        dictionary="0" * 64,
        model="demo:0",
        weights_fingerprint="w",
        layer=None,
        site="resid_post",
        n_atoms=N_ATOMS,
        k=SLOTS,
        method="mp",
        corpus="c",
        corpus_fingerprint="f",
        text="held-out",
        context=8,
        tokens=reached.tokens,
        windows=reached.windows,
        entries=reached.entries,
        slots=SLOTS,
        sinks_left_out=reached.sinks,
        energy=reached.energy,
        notes=(),
        created="2026-01-01T00:00:00+00:00",
        seconds=reached.seconds,
    )


def writer_in(work: Path, *, resume: bool = False, room: int = 10_000, **settings: Any) -> IndexWriter:
    return IndexWriter(work, {"of": 1, **settings}, N_ATOMS, SLOTS, resume=resume, entries_per_segment=room)


def write(work: Path, folder: Path, taken: list[Batch], **how: Any) -> Path:
    writer = writer_in(work, **how)
    for batch in taken[writer.reached.windows // 3 :]:
        writer.take(batch)
    *shares, last = writer.finish(folder, described(writer))
    assert last == 1.0
    assert shares == sorted(shares)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def rows_of(folder: Path, file: str) -> list[dict[str, Any]]:
    return pq.read_table(folder / file).to_pylist()


@pytest.fixture(scope="module")
def taken() -> list[Batch]:
    return batches(9)


@pytest.fixture(scope="module")
def whole(taken: list[Batch], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written in one go."""
    folder = tmp_path_factory.mktemp("whole")
    return write(folder / "work", folder / "index", taken)


def test_every_column_is_that_of_a_loop(whole: Path, taken: list[Batch]) -> None:
    indices = np.concatenate([batch.indices for batch in taken])
    coefficients = np.concatenate([batch.coefficients for batch in taken])
    entries = sorted(by_hand(indices, coefficients), key=lambda entry: (entry[1], entry[0]))
    assert rows_of(whole, "entries.parquet") == [
        {"atom": atom, "token": token, "coefficient": float(value), "step": step}
        for token, atom, value, step in entries
    ]
    tokens, windows = [], []
    for number, batch in enumerate(taken):
        for row in range(2 * PER_WINDOW):
            own = {name: column[row] for name, column in batch.tokens.items()}
            tokens.append(own | {"window": 3 * number + own["window"]})
        for i, n_tokens in enumerate((PER_WINDOW, 0, PER_WINDOW)):
            first = 2 * PER_WINDOW * number + (0, PER_WINDOW, PER_WINDOW)[i]
            own = (batch.documents[i], batch.starts[i], batch.texts[i], batch.kinds[i], first, n_tokens)
            windows.append(dict(zip(WINDOW_COLUMNS, own, strict=True)))
    assert rows_of(whole, "tokens.parquet") == tokens
    assert rows_of(whole, "windows.parquet") == windows
    norms = np.concatenate([batch.tokens["norm"] for batch in taken]).astype(float)
    for atom, row in enumerate(rows_of(whole, "atoms.parquet")):
        own = [(token, float(value), step) for token, of, value, step in entries if of == atom]
        values = [value for _, value, _ in own]
        assert row == {
            "positive": sum(value > 0 for value in values),
            "negative": sum(value < 0 for value in values),
            "first": sum(step == 0 for *_, step in own),
            "sum": sum(values),
            "sum_absolute": sum(map(abs, values)),
            "sum_share": pytest.approx(sum(abs(value) / norms[token] for token, value, _ in own), rel=1e-14),
            "energy": sum(value * value for value in values),
            "largest": max(values, default=0),
            "smallest": min(values, default=0),
        }
    codes = np.load(whole / "codes.npy", mmap_mode="r")
    assert (codes.shape, codes.dtype) == ((len(indices), SLOTS), np.uint16)
    for token, row in enumerate(codes.tolist()):
        own = sorted((-abs(value), atom) for one, atom, value, _ in entries if one == token)
        assert row == [atom for _, atom in own] + [65535] * (SLOTS - len(own))


def test_columns_have_the_types_of_the_format(whole: Path) -> None:
    for file, columns in (
        ("entries", ENTRY_COLUMNS),
        ("tokens", TOKEN_COLUMNS),
        ("windows", WINDOW_COLUMNS),
        ("atoms", ATOM_COLUMNS),
    ):
        assert pq.read_schema(whole / f"{file}.parquet").equals(schema(columns))


def test_the_description_is_what_was_taken(whole: Path, taken: list[Batch]) -> None:
    said = json.loads((whole / "index.json").read_text())
    norms = np.concatenate([batch.tokens["norm"] for batch in taken]).astype(float)
    assert said["energy"] == pytest.approx(float((norms**2).sum()), rel=1e-14)
    assert (said["tokens"], said["windows"], said["sinks_left_out"]) == (90, 27, 4)
    assert said["entries"] == len(rows_of(whole, "entries.parquet"))
    assert (said["format"], said["format_version"]) == ("itda-atom-index", 1)


def test_an_atom_number_beyond_16_bits_is_kept(tmp_path: Path, taken: list[Batch]) -> None:
    writer = IndexWriter(tmp_path / "work", {}, 70_000, SLOTS)
    batch = taken[0]
    writer.take(Batch(**{**vars(batch), "indices": batch.indices + 69_900}))
    *_, _ = writer.finish(tmp_path / "index", described(writer))
    codes = np.load(tmp_path / "index" / "codes.npy")
    assert codes.dtype == np.int32
    assert codes.max() == 2**31 - 1
    assert rows_of(tmp_path / "index", "entries.parquet")[0]["atom"] >= 69_900


@pytest.mark.parametrize("room", [1, 40, 90])
def test_segments_change_nothing(tmp_path: Path, whole: Path, taken: list[Batch], room: int) -> None:
    folder = write(tmp_path / "work", tmp_path / "index", taken, room=room)
    assert content(folder) == content(whole)
    assert list((tmp_path / "work").iterdir()) == []


def test_stretches_change_nothing(
    tmp_path: Path, whole: Path, taken: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = [row["positive"] + row["negative"] for row in rows_of(whole, "atoms.parquet")]
    monkeypatch.setattr(entries_file, "ENTRIES_AT_ONCE", max(counts) // 2)  # less than the first atom has alone
    folder = write(tmp_path / "work", tmp_path / "index", taken, room=40)
    assert content(folder) == content(whole)


def test_row_groups_hold_whole_atoms(tmp_path: Path, taken: list[Batch], monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 30
    monkeypatch.setattr(entries_file, "ROWS_PER_GROUP", limit)
    monkeypatch.setattr(entries_file.group_sizes, "__defaults__", (limit,))
    folder = write(tmp_path / "work", tmp_path / "index", taken, room=40)
    file = pq.ParquetFile(folder / "entries.parquet")
    groups = [file.read_row_group(number)["atom"].to_pylist() for number in range(file.num_row_groups)]
    counts = np.bincount([atom for group in groups for atom in group], minlength=N_ATOMS)
    assert counts.max() > limit
    assert max(map(len, groups)) == limit
    for one, other in pairwise(groups):
        assert one[-1] != other[0] or counts[other[0]] > limit


def test_windows_are_found_whichever_row_groups_are_held(
    tmp_path: Path, taken: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_writer, "WINDOWS_PER_GROUP", 2)
    monkeypatch.setattr("itda_core.analysis.atoms.index._GROUPS_HELD", 3)
    folder = write(tmp_path / "work", tmp_path / "index", taken)
    assert pq.ParquetFile(folder / "windows.parquet").num_row_groups == 14
    index, wanted = AtomIndex.open(folder), rows_of(folder, "windows.parquet")
    for rows in ([26, 0, 13], [0, 1, 2, 3], list(range(27)), [5] * 3):
        found = [one._asdict() for one in index.windows(rows)]
        assert found == [{"row": row, **wanted[row]} for row in rows]
        assert len(index._held) <= 3
    with pytest.raises(UserError, match="damaged"):
        index.windows([27])


def test_an_index_without_entries(tmp_path: Path, taken: list[Batch]) -> None:
    batch = taken[0]
    none = Batch(**{**vars(batch), "coefficients": np.zeros_like(batch.coefficients)})
    folder = write(tmp_path / "work", tmp_path / "index", [none])
    assert rows_of(folder, "entries.parquet") == []
    assert len(rows_of(folder, "tokens.parquet")) == len(batch.indices)
    assert rows_of(folder, "atoms.parquet")[0]["largest"] == 0


@pytest.mark.parametrize("n_saved", range(10))
def test_work_goes_on_after_a_kill(tmp_path: Path, whole: Path, taken: list[Batch], n_saved: int) -> None:
    writer = writer_in(tmp_path / "work", room=40)
    for batch in taken[:n_saved]:
        writer.take(batch)
    (tmp_path / "work" / ".partial-left").mkdir()  # of a segment that was being written
    again = writer_in(tmp_path / "work", resume=True, room=40)
    assert again.problem is None
    assert again.reached.windows <= 3 * n_saved
    assert again.reached.windows >= 3 * (n_saved - 2)  # a segment has room for two
    folder = write(tmp_path / "work", tmp_path / "index", taken, resume=True)
    assert content(folder) == content(whole)


def test_a_kill_while_the_files_are_put_together_loses_nothing(tmp_path: Path, whole: Path, taken: list[Batch]) -> None:
    writer = writer_in(tmp_path / "work", room=40)
    for batch in taken:
        writer.take(batch)
    finishing = writer.finish(tmp_path / "index", described(writer))
    next(finishing)
    finishing.close()
    assert not (tmp_path / "index").exists()
    again = writer_in(tmp_path / "work", resume=True)
    assert again.reached == writer.reached
    assert content(write(tmp_path / "work", tmp_path / "index", taken, resume=True)) == content(whole)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "entries cut": lambda work: _cut(work / "segment-000001" / "entries.bin"),
    "codes changed": lambda work: _flip(work / "segment-000000" / "codes.bin"),
    "sums changed": lambda work: _flip(work / "segment-000000" / "sums.bin"),
    "tokens missing": lambda work: (work / "segment-000000" / "tokens.arrow").unlink(),
    "state no JSON": lambda work: (work / "segment-000000" / "state.json").write_text("{"),
    "state of others": lambda work: (work / "segment-000000" / "state.json").write_text("{}"),
    "another version": lambda work: _another_version(work / "segment-000000" / "state.json"),
    "a segment missing": lambda work: shutil.rmtree(work / "segment-000000"),
}


def _another_version(file: Path) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | {"version": 99}))


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_begun_anew_and_said(tmp_path: Path, whole: Path, taken: list[Batch], damage: str) -> None:
    writer = writer_in(tmp_path / "work", room=40)
    for batch in taken[:6]:
        writer.take(batch)
    DAMAGE[damage](tmp_path / "work")
    again = writer_in(tmp_path / "work", resume=True)
    assert again.problem is not None
    assert "begins anew" in again.problem
    assert again.reached.windows == 0
    assert list((tmp_path / "work").iterdir()) == []
    assert content(write(tmp_path / "work", tmp_path / "index", taken, resume=True)) == content(whole)


def test_other_work_is_not_gone_on_with(tmp_path: Path, taken: list[Batch]) -> None:
    for again in ({"resume": True, "of": 2}, {"resume": False}):
        writer = writer_in(tmp_path / "work")
        writer.take(taken[0])
        writer.save()
        other = writer_in(tmp_path / "work", **again)
        assert other.reached.windows == 0
        assert (other.problem is not None) == again["resume"]
        assert "other settings" in (other.problem or "other settings")


class _Full(io.FileIO):
    """A file on a disk that has room for so many bytes more."""

    left = 0

    def write(self, part: Any) -> int:
        _Full.left -= len(memoryview(part).cast("B"))
        if _Full.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(part)


@pytest.fixture
def room_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`room_for(bytes)`: what is opened for writing from now on is on a disk with so much room."""
    own = Path.open

    def opened(path: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
        return _Full(path, "w") if mode == "wb" else own(path, mode, *more, **named)

    def room(n_bytes: int) -> None:
        monkeypatch.setattr(_Full, "left", n_bytes)
        monkeypatch.setattr(Path, "open", opened)

    return room


@pytest.mark.parametrize("room", [0, 500, 2000, 4000])
def test_a_full_disk_while_encoding_is_one_sentence_and_loses_nothing(
    tmp_path: Path, whole: Path, taken: list[Batch], room: int, room_for: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writer_in(tmp_path / "work", room=40)
    for batch in taken[:4]:
        writer.take(batch)
    before = sorted((tmp_path / "work").iterdir())
    room_for(room)
    with pytest.raises(UserError, match="disk is full"):
        writer.save()
    assert sorted((tmp_path / "work").iterdir()) == before
    room_for(10**9)
    for batch in taken[4:]:  # the same writer can go on once there is room
        writer.take(batch)
    *_, _ = writer.finish(tmp_path / "index", described(writer))
    assert content(tmp_path / "index") == content(whole)


@pytest.mark.parametrize("room", [0, 1000, 3000, 5000])
def test_a_full_disk_while_finishing_leaves_the_work(
    tmp_path: Path, whole: Path, taken: list[Batch], room: int, room_for: Callable
) -> None:
    writer = writer_in(tmp_path / "work", room=40)
    for batch in taken:
        writer.take(batch)
    writer.save()
    room_for(room)
    with pytest.raises(UserError, match="disk is full"):
        list(writer.finish(tmp_path / "index", described(writer)))
    assert [path.name for path in tmp_path.iterdir()] == ["work"]
    room_for(10**9)
    assert content(write(tmp_path / "work", tmp_path / "index", taken, resume=True)) == content(whole)


def test_an_index_that_exists_is_not_written_over(tmp_path: Path, taken: list[Batch], whole: Path) -> None:
    before = content(whole)
    with pytest.raises(UserError, match="exists already"):
        write(tmp_path / "work", whole, taken)
    assert content(whole) == before


def test_memory_is_given_back_when_tokens_have_no_entries(
    tmp_path: Path, taken: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_writer, "TOKENS_PER_SEGMENT", 20)
    writer = writer_in(tmp_path / "work")
    for batch in taken:
        writer.take(Batch(**{**vars(batch), "coefficients": np.zeros_like(batch.coefficients)}))
        assert writer.unsaved <= 20
