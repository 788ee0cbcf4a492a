"""Damage to what is kept is seen, and a small file asks for no large memory."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from itda_core.comparison import LabelSet
from itda_core.dictionaries import AtomDictionary, TrainConfig, read_summary, train
from itda_core.dictionaries.provenance import to_frame
from itda_core.dictionaries.storage.dictionary_folder import add_digests, check_digests, has_digests
from itda_core.errors import UserError
from itda_core.runs import Library
from tests.dictionaries.fake_model import FakeModel, fake_corpus
from tests.dictionaries.growing.test_training import finish
from tests.dictionaries.storage.test_dictionary_folder import label, make
from tests.files.test_files import Order, needs_proc


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make().save_pretrained(tmp_path / "d")


def _say(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "dictionary.json"
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))


def _flip(path: Path, bit: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[bit // 8] ^= 1 << bit % 8
    path.write_bytes(raw)


@pytest.mark.parametrize("name", ["atoms.safetensors", "provenance.parquet"])
def test_one_bit_anywhere_is_seen(folder: Path, name: str) -> None:
    whole, draw = (folder / name).read_bytes(), random.Random(0)
    for bit in draw.sample(range(8 * len(whole)), 60):
        _flip(folder / name, bit)
        with pytest.raises(UserError, match=r"damaged|belong"):
            AtomDictionary.load(folder)
        if name == "provenance.parquet":
            with pytest.raises(UserError, match=r"damaged|belong"):
                LabelSet.load(folder)
        (folder / name).write_bytes(whole)
    assert len(AtomDictionary.load(folder)) == 5


def test_a_figure_that_was_changed_is_seen_by_a_check_of_the_digests(folder: Path) -> None:
    check_digests(folder)
    _say(folder, lambda said: said["stats"].update(fvu=0.24))
    with pytest.raises(UserError, match="not what was written"):
        check_digests(folder)
    assert AtomDictionary.load(folder).stats["fvu"] == 0.24  # the atoms are as they were


def test_a_folder_of_an_earlier_version_loads_and_can_have_its_digests_added(folder: Path) -> None:
    _say(folder, lambda said: said.pop("sha256"))
    assert not has_digests(folder)
    assert len(AtomDictionary.load(folder)) == 5
    check_digests(folder)
    add_digests(folder)
    assert has_digests(folder)
    check_digests(folder)
    _flip(folder / "atoms.safetensors", 8 * ((folder / "atoms.safetensors").stat().st_size - 3))
    with pytest.raises(UserError, match="digest"):
        AtomDictionary.load(folder)


ODD: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "beyond the calendar": (lambda said: said.update(created="+300000-01-01T00:00:00+00:00"), "created"),
    "the calendar's end": (lambda said: said.update(created="9999-12-31T23:59:59-12:00"), "created"),
    "no date": (lambda said: said.update(created="x"), "created"),
    "layer": (lambda said: said["spec"].update(layer=10**30), "31 digits"),
    "layer below": (lambda said: said["spec"].update(layer=-1), r"spec\.layer"),
    "layer far": (lambda said: said["spec"].update(layer=2**50), r"spec\.layer"),
    "k": (lambda said: said["config"].update(k=10**30), "31 digits"),
    "k far": (lambda said: said["config"].update(k=2**60), "k="),
    "tokens": (lambda said: said["stats"].update(tokens="x"), r"stats\.tokens"),
    "a long name": (lambda said: said["spec"].update(model="m" * 300_000), r"spec\.model"),
    "a long figure": (lambda said: said["stats"].update(more="m" * 300_000), r"stats\.more"),
    "windows": (lambda said: said["stats"].update(windows=""), r"stats\.windows"),
    "passes": (lambda said: said["stats"].update(passes=0), r"stats\.passes"),
    "made": (lambda said: said["stats"].update(stream={"made": 0}), r"stats\.stream"),
    "stages": (lambda said: said["stats"].update(stages=[{"tokens": "x"}]), r"stats\.stages\[0\]"),
    "rebuilt": (lambda said: said["stats"].update(rebuilt={"labels_left_out": 1}), r"stats\.rebuilt"),
    "many atoms": (lambda said: said.update(atoms=2147483648), "2147483648 atoms|atoms"),
    "no atoms": (lambda said: said.update(atoms=0), "atoms"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_description_that_no_page_could_show_is_refused_wherever_it_is_read(
    folder: Path, tmp_path: Path, name: str
) -> None:
    change, said = ODD[name]
    _say(folder, change)
    library = Library(tmp_path / "library")
    for read in (AtomDictionary.load, LabelSet.load, library.import_):
        with pytest.raises(UserError, match=said) as caught:
            read(folder)
        assert len(str(caught.value)) < 700
    assert os.listdir(library.folder) == []
    shutil.move(folder, library.folder / "d")
    if "many" not in name:  # what a list shows does not need the atoms
        (entry,) = (entry for entry in library.entries() if not entry.bundled)
        assert entry.problem
    library.remove("d")
    assert os.listdir(library.folder) == []


def _write_labels(folder: Path, table: pa.Table, **options: Any) -> None:
    pq.write_table(table, folder / "provenance.parquet", **options)
    _say(folder, lambda said: said.pop("sha256", None))


def test_a_million_equal_labels_are_refused_before_they_are_read(folder: Path, monkeypatch) -> None:
    one = pa.Table.from_pandas(to_frame([label(0)]), preserve_index=False)
    many = pa.table({name: pa.repeat(one[name][0], 1_000_000) for name in one.column_names})
    _write_labels(folder, many)
    assert (folder / "provenance.parquet").stat().st_size < 200_000

    def read(*_: object, **__: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(pq.ParquetFile, "read", read)
    with pytest.raises(UserError, match="1,000,000 labels, the dictionary 5 atoms"):
        LabelSet.load(folder)


def test_copies_of_one_label_are_no_labels_of_as_many_atoms(tmp_path: Path) -> None:
    atoms = torch.ones(300_000, 1)
    folder = AtomDictionary(
        atoms, torch.zeros(1), to_frame([label(0)]), make().spec.__class__(**{**make().spec.to_dict(), "d_model": 1}),
        TrainConfig(), {},
    ).save_pretrained(tmp_path / "d")  # fmt: skip
    one = pa.Table.from_pandas(to_frame([label(0)]), preserve_index=False)
    many = pa.table({name: pa.repeat(one[name][0], 300_000) for name in one.column_names})
    _write_labels(folder, many)
    with pytest.raises(UserError, match="are no labels"):
        LabelSet.load(folder)


def test_a_text_that_every_label_repeats_is_not_multiplied(folder: Path) -> None:
    frame = to_frame([label(i) for i in range(5)] * 60).assign(context_before="x" * 1_000_000)
    _write_labels(folder, pa.Table.from_pandas(frame, preserve_index=False))
    assert (folder / "provenance.parquet").stat().st_size < 100_000
    with pytest.raises(UserError, match="MiB of text in 300 labels"):
        LabelSet.load(folder)


def test_labels_that_are_not_text_are_refused(folder: Path) -> None:
    frame = pa.Table.from_pandas(to_frame([label(i) for i in range(5)]), preserve_index=False)
    bad = pa.array([b"R\xc9"] * 5).buffers()
    text = pa.Array.from_buffers(pa.string(), 5, bad)
    _write_labels(folder, frame.set_column(frame.schema.get_field_index("token"), "token", text))
    with pytest.raises(UserError, match=r"provenance\.parquet is damaged.*UTF8"):
        LabelSet.load(folder)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("position", -1),
        ("char_end", 2**40),
        ("error", float("inf")),
        ("error", 3.0),
        ("order", 0.5),
    ],
)
def test_numbers_that_no_label_can_have_are_refused(folder: Path, column: str, value: float) -> None:
    frame = to_frame([label(i) for i in range(5)])
    frame[column] = [value] * 5
    _write_labels(folder, pa.Table.from_pandas(frame, preserve_index=False))
    with pytest.raises(UserError, match=r"provenance\.parquet is damaged"):
        LabelSet.load(folder)


def test_texts_come_back_whatever_way_parquet_keeps_them(folder: Path) -> None:
    """In several row groups, with and without dictionaries, as large strings: the same labels."""
    frame = to_frame([label(i, token=f"t{i % 2}", before="é" * i) for i in range(5)])
    table = pa.Table.from_pandas(frame, preserve_index=False)
    large = table.cast(
        pa.schema([(f.name, pa.large_string() if f.type == pa.string() else f.type) for f in table.schema])
    )
    for given, options in ((table, {"row_group_size": 2}), (table, {"use_dictionary": False}), (large, {})):
        _write_labels(folder, given, **options)
        pd.testing.assert_frame_equal(AtomDictionary.load(folder).provenance, frame)


# --- checkpoints ---


CONFIGS = {
    "sequential": TrainConfig(k=3, tokens=400, context=16, threshold=0.4),
    "sampled": TrainConfig(k=3, tokens=400, context=16, selection="sampled", atoms=12),
}


def _interrupted(work: Path, config: TrainConfig, tokens: int = 160) -> None:
    events = train(FakeModel(), fake_corpus(), [0, 1], config, work=work, checkpoint_seconds=0)
    for progress in events:
        if progress.tokens >= tokens:
            events.close()
            return


def _resume(work: Path, config: TrainConfig) -> tuple[AtomDictionary, ...]:
    return finish(train(FakeModel(), fake_corpus(), [0, 1], config, work=work, resume=True)).dictionaries


@pytest.mark.parametrize("name", CONFIGS)
def test_one_bit_of_a_checkpoint_never_gives_another_dictionary(tmp_path: Path, name: str, monkeypatch) -> None:
    monkeypatch.setattr(
        "itda_core.dictionaries.choosing.reservoir.SEGMENT_BYTES", 4_000
    )  # so that some lie in segments
    _interrupted(tmp_path / "left", CONFIGS[name])
    files = sorted(path for path in (tmp_path / "left").rglob("*") if path.is_file())
    assert len(files) >= (8 if name == "sampled" else 4)
    draw = random.Random(1)
    for i, path in enumerate(files[:10]):
        work = tmp_path / f"work-{i}"
        shutil.copytree(tmp_path / "left", work)
        _flip(work / path.relative_to(tmp_path / "left"), draw.randrange(8 * path.stat().st_size))
        with pytest.raises(UserError):
            _resume(work, CONFIGS[name])
    assert _resume(tmp_path / "left", CONFIGS[name])


def test_a_checkpoint_of_an_earlier_version_goes_on_and_one_with_keys_missing_does_not(tmp_path: Path) -> None:
    config = CONFIGS["sequential"]
    _interrupted(tmp_path / "left", config)
    (state,) = (tmp_path / "left").glob("checkpoint-*/state.json")
    said = json.loads(state.read_text())
    del said["sha256"]  # an earlier version wrote none
    changes: list[dict[str, Any]] = [
        *({name: None} for name in said if name not in ("version", "layers")),
        {"layers": [[1, 2]]}, {"layers": []}, {"curves": [[["x", 1]], []]}, {"tokens": -1}, {"stages": [[]]},
        {"norm_medians": [1.0]}, {"facts": [{"segments": ["../../x"]}, {}]}, {"tensors": ["0.labelled", "9.x"]},
        {"identity": {"config": "x" * 5_000}},
    ]  # fmt: skip
    for i, change in enumerate(changes):
        work = tmp_path / f"work-{i}"
        shutil.copytree(tmp_path / "left", work)
        path = work / state.relative_to(tmp_path / "left")
        path.write_text(json.dumps({**said, **change}))
        with pytest.raises(UserError):
            _resume(work, config)
        path.write_text(json.dumps({name: value for name, value in said.items() if name not in change}))
        with pytest.raises(UserError):
            _resume(work, config)
    state.write_text(json.dumps(said))
    undisturbed = finish(train(FakeModel(), fake_corpus(), [0, 1], config)).dictionaries
    for one, two in zip(_resume(tmp_path / "left", config), undisturbed, strict=True):
        assert torch.equal(one.atoms, two.atoms)


@needs_proc
@pytest.mark.parametrize("name", CONFIGS)
def test_the_checkpoint_before_goes_only_when_the_new_one_is_on_the_disk(
    tmp_path: Path, name: str, monkeypatch
) -> None:
    monkeypatch.setattr("itda_core.dictionaries.choosing.reservoir.SEGMENT_BYTES", 4_000)
    monkeypatch.setattr("itda_core.dictionaries.checkpoints.saving.WORK_PER_SAVING", 0.0)  # one after each batch
    order = Order(monkeypatch)
    _interrupted(tmp_path, CONFIGS[name], tokens=330)
    removed = [(i, path) for i, (what, path) in enumerate(order.calls) if what == "remove" and "checkpoint-" in path]
    assert removed
    for i, _ in removed:
        before = order.calls[:i]
        renamed = max(j for j, (what, path) in enumerate(before) if what == "rename" and "checkpoint-" in path)
        assert ("sync", str(tmp_path)) in before[renamed:]
        begun = max((j for j, (what, _) in enumerate(before[:renamed]) if what in ("remove", "rename")), default=0)
        synced = {Path(path).name for what, path in before[begun:renamed] if what == "sync"}
        assert {"state.json", "tensors.safetensors", "0.parquet", "1.parquet"} <= synced
    if name == "sampled":
        segments = {path for what, path in order.calls if what == "rename" and ".pool-" in path and "json" not in path}
        synced = {path for what, path in order.calls if what == "sync"}
        last = max(segments)
        assert f"{last}/activations.safetensors" in synced or not Path(last).exists()


def test_a_summary_of_a_folder_whose_json_is_a_pipe_does_not_wait(folder: Path) -> None:
    (folder / "dictionary.json").unlink()
    os.mkfifo(folder / "dictionary.json")
    with pytest.raises(UserError, match="pipe"):
        read_summary(folder)
