"""Damaged checkpoints: a training that goes on from one ends with the same dictionary, or says what is wrong."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from itda_core.dictionaries import AtomDictionary, TrainConfig, TrainProgress, train
from itda_core.text import Corpus
from tests.dictionaries.fake_model import FakeModel, fake_corpus
from tests.fuzz.damage import damage_file, damage_json_file
from tests.fuzz.harness import Kind

_CONFIGS = (
    TrainConfig(k=3, tokens=400, context=16),
    TrainConfig(k=3, tokens=400, context=16, selection="sampled", atoms=20),
)


class _Run(NamedTuple):
    """A training that was interrupted, and how it ends."""

    config: TrainConfig
    work: Path
    dictionary: AtomDictionary


class _Prepared(NamedTuple):
    model: FakeModel
    corpus: Corpus
    runs: list[_Run]


def _prepare(folder: Path) -> _Prepared:
    model, corpus = FakeModel(), fake_corpus(40, 20)
    runs = []
    for number, config in enumerate(_CONFIGS):
        work = folder / f"work-{number}"
        for progress in (events := train(model, corpus, [0], config, work=work, checkpoint_seconds=0)):
            if progress.tokens >= 200:
                events.close()
                break
        runs.append(_Run(config, work, _ended(train(model, corpus, [0], config))))
        assert list(work.glob("checkpoint-*")), "interrupted in the middle"
    return _Prepared(model, corpus, runs)


def _ended(events: Iterator[TrainProgress]) -> AtomDictionary:
    *_, last = events
    return last.dictionaries[0]


def _attempt(prepared: _Prepared, folder: Path, rng: random.Random) -> None:
    run = rng.choice(prepared.runs)
    work = folder / "work"
    shutil.copytree(run.work, work)
    files = sorted(path for path in work.rglob("*") if path.is_file())
    path = rng.choice(files)
    if path.suffix == ".json" and rng.random() < 0.7:
        damage_json_file(path, rng)
    else:
        damage_file(path, rng)
    resumed = _ended(train(prepared.model, prepared.corpus, [0], run.config, work=work, resume=True))
    assert torch.equal(resumed.atoms, run.dictionary.atoms), "other atoms came out"
    assert resumed.provenance.equals(run.dictionary.provenance), "other labels came out"


KINDS = [Kind("checkpoints", _prepare, _attempt, each=25)]
