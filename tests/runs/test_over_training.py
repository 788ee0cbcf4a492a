"""`itda compare --over-training`: checkpoints of one model, from a library's dictionaries and from files of labels."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from itda_core import AtomDictionary
from itda_core.comparison import LabelSet
from itda_core.comparison.over_training.convergence import convergence
from itda_core.comparison.over_training.demo_checkpoints import CHECKPOINTS, demo_checkpoints
from itda_core.dictionaries import TrainConfig, train
from itda_core.runs import Library
from tests.conftest import Cli
from tests.dictionaries.fake_model import FakeModel, fake_corpus


@pytest.fixture
def names(home: Path) -> list[str]:
    """Dictionaries of two layers of three checkpoints in the library; one of step-90's is missing."""
    corpus, found = fake_corpus(documents=20), []
    for step in (90, 1000, 200):
        *_, last = train(FakeModel(seed=step), corpus, [0, 1], TrainConfig(k=3, context=16, threshold=0.2))
        for one in last.dictionaries[: 1 if step == 90 else 2]:
            spec = replace(one.spec, model=f"/runs/step-{step}", weights_fingerprint=f"weights {step}")
            moved = AtomDictionary(one.atoms, one.mean, one.provenance, spec, one.config, one.stats)
            found.append(Library().add(moved).name)
    return found


def places(name: str) -> set[tuple[object, ...]]:
    frame = AtomDictionary.load(Library().find(name)).provenance
    return set(zip(frame["document"], frame["window_start"], frame["char_end"], strict=True))


def test_each_checkpoint_beside_the_last(itda: Cli, names: list[str], tmp_path: Path) -> None:
    file = tmp_path / "cells.csv"
    code, out, err = itda("compare", "--over-training", *names, "--csv", file, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["names"] == ["step-90", "step-200", "step-1000"]
    labels = {(one.layer, str(one.model)): places(one.name) for one in Library().entries() if one.name in names}
    for row, checkpoint in enumerate(found["names"]):
        for column, layer in enumerate(found["layers"]):
            mine, end = (labels.get((layer, f"/runs/{name}")) for name in (checkpoint, "step-1000"))
            expected = None if mine is None or end is None else len(mine & end) / len(mine | end)
            assert found["jaccard"][row][column] == (None if expected is None else pytest.approx(expected))
    assert found["jaccard"][0][1] is None
    assert 0 < found["jaccard"][0][0] < 1
    assert found["notes"] == [line.removeprefix("note: ") for line in err.splitlines()]
    assert found["notes"][1] == "1 cell is empty, because there is no dictionary."
    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["jaccard"] and float(row["jaccard"]) for row in rows] == [
        "" if cell is None else cell for cells in found["jaccard"] for cell in cells
    ]
    code, out, _ = itda("compare", "--over-training", *names, "--no-interval")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][-2:] == ["0", "1"]
    assert lines[2] == ["step-200", *(f"{100 * value:.1f}" for value in found["jaccard"][1])]
    assert lines[3] == ["step-1000", "100.0", "100.0"]


def test_the_bundled_checkpoints_as_files_of_labels_give_the_page_s_figures(itda: Cli) -> None:
    bundled = {(one.step, one.layer): LabelSet.of(one.labels) for one in demo_checkpoints()}
    expected = convergence(bundled).to_dict()
    code, out, _ = itda("compare", "--over-training", *sorted(CHECKPOINTS.glob("*.gz")), "--no-interval", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["names"] == [f"demo:0 {name.replace(',', '')}" for name in expected["names"]]
    for figures in ("layers", "jaccard", "comparable_fraction", "null_jaccard", "z"):
        assert found[figures] == expected[figures]


def test_what_does_not_go_together_is_one_sentence(itda: Cli, names: list[str]) -> None:
    for arguments, sentence in (
        ([*names, "--crop", "--by", "model"], "--by and --crop cannot go with --over-training"),
        (names[:1], "at least two dictionaries"),
        (names[1:3], "at least two checkpoints"),
        ([names[0], "demo-0-L0"], "different corpora"),
        ([*names, "--corpus", "/nowhere.txt"], "/nowhere.txt"),
    ):
        code, out, err = itda("compare", "--over-training", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("error: ")
        assert sentence in err
