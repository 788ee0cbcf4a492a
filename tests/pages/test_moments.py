"""Numbers, times and sizes in words."""

from dataclasses import replace

import pytest

from itda_core.dictionaries.training_stage import TrainingStage
from itda_core.runs.evaluation.status import EvaluationStatus
from itda_core.runs.training.status import TrainingStatus
from itda_core.runs.units import duration, size
from pages.ui.components.moments import moment, progress_line


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3600, "1 h 00 min"),
        (90061, "25 h 01 min"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.1e9, "2.1 GB")])
def test_size(count: float, words: str) -> None:
    assert size(count) == words


def test_moment() -> None:
    assert moment(None) == ""
    assert moment("yesterday") == ""
    assert len(moment("2026-11-20T12:00:00+00:00")) == len("2026-11-20 12:00")


def test_progress_line() -> None:
    assert progress_line(TrainingStatus()) == "Starting…"
    assert progress_line(TrainingStatus(state="running", step="loading the model")) == "Loading the model"
    running = TrainingStatus(state="running", step="training", tokens=1500, total=3000, eta=61)
    assert progress_line(running) == "Reading text · 1,500 of 3,000 tokens · 1 min 01 s left"
    assert progress_line(TrainingStatus(state="running", step="training")) == "Reading text"
    assert progress_line(TrainingStatus(state="done", tokens=1500, total=3000)) == "1,500 tokens"
    early = TrainingStatus(state="done", tokens=507, total=5000)
    assert progress_line(replace(early, full=True)) == "507 of 5,000 tokens · dictionary full"
    assert progress_line(replace(early, text_ended=True)) == "507 of 5,000 tokens · text ended"
    assert progress_line(EvaluationStatus(state="running", step="finding text")) == "Finding text"
    measuring = EvaluationStatus(state="running", step="measuring", tokens=1500, eta=4)
    assert progress_line(measuring) == "1,500 tokens · 0 results · 4 s left"


@pytest.mark.parametrize(
    ("stage", "eta", "words"),
    [
        (TrainingStage("passing", 1, 4, None, 2, 6), None, "Passing block 2 of 6, 25% of the text"),
        (TrainingStage("ahead", 5, 9), 8.0, "Looking at the first tokens, 5 of 9 · about 8 s left"),
        (TrainingStage("reading", 1500, 3000), 8.0, "Reading text · 1,500 of 3,000 tokens · about 8 s left"),
        (TrainingStage("reading", 5, 9, 4, 2, 6), None, "Reading text for layer 4 (2 of 6) · 1,500 of 3,000 tokens"),
        (TrainingStage("reading", 5, 90, about=True), 8.0, "Reading text · 5 of about 90 tokens · about 8 s left"),
        (TrainingStage("choosing", 2, 64), 8.0, "Choosing atoms, round 3 of 64 · about 8 s left"),
        (TrainingStage("measuring", 0, 1), None, "Measuring the dictionary"),
    ],
)
def test_a_training_is_named_by_its_stage(stage: TrainingStage, eta: float | None, words: str) -> None:
    status = TrainingStatus("running", "…", 1500, 3000, eta=eta, stage=stage, rough=True)
    assert progress_line(status) == words
    assert progress_line(replace(status, state="cancelled", eta=None)) == words.partition(" · about")[0]
