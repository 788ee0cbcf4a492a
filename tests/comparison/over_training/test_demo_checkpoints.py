from __future__ import annotations

import json
from pathlib import Path

import pytest

from itda_core.comparison.over_training.demo_checkpoints import CHECKPOINTS, LIST, demo_checkpoints, labels_file
from itda_core.dictionaries import TrainConfig, train, write_labels
from itda_core.errors import UserError
from tests.dictionaries.fake_model import FakeModel, fake_corpus


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two steps of three layers."""
    corpus = fake_corpus(documents=20)
    for step in (40, 5):
        *_, last = train(FakeModel(seed=step), corpus, [0, 1, 2], TrainConfig(k=3, context=16, atoms=10))
        for dictionary in last.dictionaries:
            write_labels(dictionary, labels_file(tmp_path, step, dictionary.spec.layer))
    steps = [{"step": step, "tokens": 100 * step, "held_out_loss": 1 / step} for step in (40, 5)]
    (tmp_path / LIST).write_text(json.dumps({"model": "demo:0", "checkpoints": steps}))
    return tmp_path


def test_checkpoints_come_by_step_and_layer(folder: Path) -> None:
    found = demo_checkpoints(folder)
    assert [(one.step, one.layer) for one in found] == [(5, 0), (5, 1), (5, 2), (40, 0), (40, 1), (40, 2)]
    assert all(one.labels.spec.layer == one.layer for one in found)
    assert (found[0].tokens, found[0].held_out_loss) == (500, 0.2)


def test_a_step_without_files_and_a_damaged_list_are_told(folder: Path) -> None:
    for layer in range(3):
        labels_file(folder, 5, layer).unlink()
    with pytest.raises(UserError, match=r"step-0005-L0\.labels\.json\.gz is missing"):
        demo_checkpoints(folder)
    (folder / LIST).write_text('{"checkpoints": [{"step": "many"}]}')
    with pytest.raises(UserError, match="is damaged"):
        demo_checkpoints(folder)


def test_the_bundled_checkpoints() -> None:
    """Eight steps of six layers, the loss falling, the last the bundled model's; all together small."""
    found = demo_checkpoints()
    steps = sorted({one.step for one in found})
    assert len(steps) == 8
    assert [(one.step, one.layer) for one in found] == [(step, layer) for step in steps for layer in range(6)]
    losses = [next(one.held_out_loss for one in found if one.step == step) for step in steps]
    assert losses == sorted(losses, reverse=True)
    training = json.loads((CHECKPOINTS.parent / "models" / "training.json").read_text())
    assert losses[-1] == pytest.approx(training["models"][0]["held_out"]["all"]["loss"], abs=1e-6)
    assert len({one.labels.spec.corpus_fingerprint for one in found}) == 1
    assert sum(file.stat().st_size for file in CHECKPOINTS.iterdir()) < 500_000
