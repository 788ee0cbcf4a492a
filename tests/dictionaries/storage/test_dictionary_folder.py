"""Dictionaries on disk: round trips, damage of every kind, full disks, and what a list reads."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from itda_core.dictionaries import AtomDictionary, AtomLabel, DictionarySpec, TrainConfig, read_summary
from itda_core.dictionaries.provenance import COLUMNS, to_frame, to_labels
from itda_core.errors import UserError

SPEC = DictionarySpec("demo:0", None, "w" * 64, "t" * 64, 2, "resid_post", 6, "demo", "c" * 64)


def label(atom: int, token: str = " dog", before: str = "The", after: str = " ran") -> AtomLabel:
    return AtomLabel(atom, atom, "doc-7", 12, 4, 345, token, 20, 20 + len(token), before, after, 0.5)


def make(n_atoms: int = 5, labels: list[AtomLabel] | None = None, seed: int = 0, **config: Any) -> AtomDictionary:
    random = torch.Generator().manual_seed(seed)
    atoms = torch.nn.functional.normalize(torch.randn(n_atoms, 6, generator=random), dim=1)
    frame = to_frame(labels or [label(i) for i in range(n_atoms)])
    mean = torch.randn(6, generator=random) if config.get("centre") else torch.zeros(6)
    stats = {"tokens": 1234, "fvu": 0.25, "fvu_text": "held-out"}
    return AtomDictionary(atoms, mean, frame, SPEC, TrainConfig(**{"k": 3, **config}), stats)


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(st.tuples(text, text, text), min_size=1, max_size=5),
    centre=st.booleans(),
    method=st.sampled_from(["mp", "omp"]),
)
def test_what_was_saved_comes_back(tmp_path_factory: pytest.TempPathFactory, texts, centre, method) -> None:
    folder = tmp_path_factory.mktemp("library")
    labels = [label(i, *parts) for i, parts in enumerate(texts)]
    saved = make(len(labels), labels, centre=centre, method=method)
    assert saved.save_pretrained(folder / "d") == folder / "d"
    loaded = AtomDictionary.load(folder / "d")
    assert torch.equal(loaded.atoms, saved.atoms)
    assert torch.equal(loaded.mean, saved.mean)
    pd.testing.assert_frame_equal(loaded.provenance, saved.provenance)
    assert [loaded.label(i) for i in range(len(labels))] == labels
    assert (loaded.spec, loaded.config, loaded.stats) == (saved.spec, saved.config, saved.stats)
    assert loaded.path == folder / "d"
    assert sorted(path.name for path in (folder / "d").iterdir()) == [
        "atoms.safetensors",
        "dictionary.json",
        "provenance.parquet",
    ]
    shutil.rmtree(folder)


def test_half_precision_is_stored_small_and_read_back_as_unit_norm(tmp_path: Path) -> None:
    saved = make(50)
    saved.save_pretrained(tmp_path / "half", dtype="float16")
    assert load_file(tmp_path / "half" / "atoms.safetensors")["atoms"].dtype == torch.float16
    loaded = AtomDictionary.load(tmp_path / "half")
    assert loaded.atoms.dtype == torch.float32
    torch.testing.assert_close(loaded.atoms.norm(dim=1), torch.ones(50), atol=1e-6, rtol=0)
    torch.testing.assert_close(loaded.atoms, saved.atoms, atol=1e-3, rtol=0)
    with pytest.raises(UserError, match="'int8'; choose float32 or float16"):
        saved.save_pretrained(tmp_path / "other", dtype="int8")


def test_several_labels_of_one_atom(tmp_path: Path) -> None:
    labels = [label(0, " a"), label(1, " b"), replace(label(0, " c"), order=2)]
    make(2, labels).save_pretrained(tmp_path / "d")
    loaded = AtomDictionary.load(tmp_path / "d")
    assert [one.token for one in loaded.labels(0)] == [" a", " c"]
    assert loaded.label(1).token == " b"
    with pytest.raises(UserError, match="no atom 2; this dictionary has atoms 0 to 1"):
        loaded.label(2)
    with pytest.raises(UserError, match="no atom -1"):
        loaded.labels(-1)


def test_the_description_says_what_the_contract_asks(tmp_path: Path) -> None:
    make().save_pretrained(tmp_path / "d")
    description = json.loads((tmp_path / "d" / "dictionary.json").read_text())
    assert description["format_version"] == 1
    assert description["spec"]["weights_fingerprint"] == "w" * 64
    assert description["config"]["k"] == 3
    assert description["software"]["torch"] == metadata.version("torch")
    assert description["created"].endswith("+00:00")


def test_a_summary_needs_no_torch(tmp_path: Path) -> None:
    make().save_pretrained(tmp_path / "d")
    program = (
        "import sys; from itda_core.dictionaries import read_summary; s = read_summary(sys.argv[1]);"
        "print(s.name, s.model, s.layer, s.site, s.atoms, s.d_model, s.k, s.threshold, s.selection, s.fvu);"
        "assert not {'torch', 'transformers', 'streamlit'} & set(sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", program, tmp_path / "d"], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["d", "demo:0", "2", "resid_post", "5", "6", "3", "0.3", "sequential", "0.25"]
    files = (tmp_path / "d").iterdir()
    assert read_summary(tmp_path / "d").bytes == sum(file.stat().st_size for file in files)


def rewrite_json(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "dictionary.json"
        value = json.loads(path.read_text())
        for key, new in changes.items():
            *parents, last = key.split("__")
            inner = value
            for parent in parents:
                inner = inner[parent]
            inner[last] = new
        path.write_text(json.dumps(value))

    return change


def rewrite_tensors(change: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        tensors = load_file(folder / "atoms.safetensors")
        change(tensors)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "atoms.safetensors")

    return rewrite


def rewrite_frame(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        change(pd.read_parquet(folder / "provenance.parquet")).to_parquet(folder / "provenance.parquet")

    return rewrite


def cut(name: str) -> Callable[[Path], None]:
    def halve(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return halve


DAMAGE = {
    "no json": (lambda f: (f / "dictionary.json").unlink(), "is not a dictionary"),
    "no atoms": (lambda f: (f / "atoms.safetensors").unlink(), "atoms.safetensors is missing"),
    "no provenance": (lambda f: (f / "provenance.parquet").unlink(), "provenance.parquet is missing"),
    "half a json": (cut("dictionary.json"), "dictionary.json is damaged"),
    "half the atoms": (cut("atoms.safetensors"), "atoms.safetensors is damaged"),
    "half the provenance": (cut("provenance.parquet"), "provenance.parquet is damaged"),
    "a pickle": (lambda f: (f / "atoms.safetensors").write_bytes(b"\x80\x04\x95\x00."), "damaged"),
    "a list": (lambda f: (f / "dictionary.json").write_text("[1]"), "does not describe a dictionary"),
    "a model's config": (lambda f: (f / "dictionary.json").write_text('{"model_type": "gpt2"}'), "does not describe"),
    "a later format": (rewrite_json(format_version=2), "format version 2, this program reads 1"),
    "no spec": (rewrite_json(spec=None), "'spec' is missing"),
    "spec without a model": (rewrite_json(spec__model=None), r"spec\.model is missing"),
    "spec with more": (rewrite_json(spec__colour="red"), "unknown keys spec.colour"),
    "layer as text": (rewrite_json(spec__layer="2"), r"spec\.layer"),
    "unknown setting": (rewrite_json(config__treshold=0.3), "Unknown setting treshold"),
    "impossible threshold": (rewrite_json(config__threshold=7), "can add no atom"),
    "fvu as text": (rewrite_json(stats__fvu="low"), "stats.fvu"),
    "other count": (rewrite_json(atoms=4), "atoms .5, 6. and mean .6,. where dictionary.json says 4 atoms of 6"),
    "other width": (rewrite_json(spec__d_model=7), "5 atoms of 7"),
    "no mean": (rewrite_tensors(lambda t: t.pop("mean")), "damaged"),
    "short mean": (rewrite_tensors(lambda t: t.update(mean=t["mean"][:3])), "damaged"),
    "integers": (rewrite_tensors(lambda t: t.update(atoms=t["atoms"].long())), "not floating point"),
    "long atom": (rewrite_tensors(lambda t: t["atoms"][3].mul_(2)), "atom 3 has norm 2, not 1"),
    "NaN": (rewrite_tensors(lambda t: t["atoms"][3].fill_(float("nan"))), "NaN or infinity"),
    "NaN mean": (rewrite_tensors(lambda t: t["mean"].fill_(float("nan"))), "NaN or infinity"),
    "a label less": (rewrite_frame(lambda frame: frame.iloc[:-1]), "does not belong to these atoms"),
    "a label more": (rewrite_frame(lambda frame: frame.assign(atom=frame["atom"] + 1)), "does not belong"),
    "no column": (rewrite_frame(lambda frame: frame.drop(columns="token")), "no column token"),
    "text for numbers": (rewrite_frame(lambda frame: frame.assign(position="x")), "damaged"),
    "empty cells": (rewrite_frame(lambda frame: frame.assign(token=None)), "empty cells"),
}


@pytest.mark.parametrize("name", sorted(DAMAGE))
def test_damage_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    damage, sentence = DAMAGE[name]
    make().save_pretrained(tmp_path / "d")
    damage(tmp_path / "d")
    with pytest.raises(UserError, match=sentence) as caught:
        AtomDictionary.load(tmp_path / "d")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no json", "half a json", "a list", "a later format", "no spec", "layer as text"])
def test_a_summary_refuses_damage_too(tmp_path: Path, name: str) -> None:
    damage, sentence = DAMAGE[name]
    make().save_pretrained(tmp_path / "d")
    damage(tmp_path / "d")
    with pytest.raises(UserError, match=sentence):
        read_summary(tmp_path / "d")


def test_missing_and_foreign_folders(tmp_path: Path, tiny_folder: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        AtomDictionary.load(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"is not a dictionary \(it has no dictionary\.json\)"):
        AtomDictionary.load(tiny_folder)
    with pytest.raises(UserError, match="neither a folder on this machine nor a Hub id"):
        AtomDictionary.from_pretrained(str(tmp_path / "not here"))


def test_an_existing_folder_is_never_overwritten(tmp_path: Path) -> None:
    make().save_pretrained(tmp_path / "d")
    with pytest.raises(UserError, match="exists already"):
        make(seed=1).save_pretrained(tmp_path / "d")
    assert torch.equal(AtomDictionary.load(tmp_path / "d").atoms, make().atoms)


@pytest.mark.parametrize("where", ["rename", "atoms.safetensors", "provenance.parquet"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write = Path.write_bytes
    if where == "rename":
        monkeypatch.setattr(os, "rename", full)
    else:
        monkeypatch.setattr(Path, "write_bytes", lambda path, data: full() if path.name == where else write(path, data))
    with pytest.raises(UserError, match="disk is full"):
        make().save_pretrained(tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def test_provenance_has_the_agreed_columns() -> None:
    frame = to_frame([label(0)])
    assert list(frame.columns) == list(COLUMNS)
    assert ",".join(COLUMNS) == (
        "atom,order,document,window_start,position,token_id,token,char_start,char_end,context_before,context_after,error"
    )
    assert to_labels(frame) == [label(0)]
