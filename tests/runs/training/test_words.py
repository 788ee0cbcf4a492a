"""The stages of a training in words."""

from __future__ import annotations

import pytest

from itda_core.dictionaries.training_stage import TrainingStage
from itda_core.runs.training.words import stage_words, step_words, time_left_words


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (TrainingStage("passing", 20, 50, None, 3, 12), "Passing block 3 of 12, 40% of the text"),
        (TrainingStage("ahead", 500, 8192), "Looking at the first tokens, 500 of 8,192"),
        (TrainingStage("reading", 1500, 20_000), "Reading text, 1,500 of 20,000 tokens"),
        (TrainingStage("reading", 1500, None), "Reading text, 1,500 tokens"),
        (TrainingStage("reading", 1, 2, 4, 2, 6), "Reading text for layer 4 (2 of 6), 1 of 2 tokens"),
        (TrainingStage("choosing", 0, 64, 4), "Choosing atoms, round 1 of 64"),
        (TrainingStage("choosing", 2, 64, 4), "Choosing atoms, round 3 of 64"),
        (TrainingStage("choosing", 64, 64, 4, 2, 6), "Choosing atoms of layer 4 (2 of 6), round 64 of 64"),
        (TrainingStage("choosing", 2, 64, None, 2, 6), "Choosing atoms of dictionary 2 of 6, round 3 of 64"),
        (TrainingStage("choosing", 119, 384, None, 0, 6), "Choosing atoms of 6 layers, round 120 of 384"),
        (TrainingStage("labelling", 1, 4096, 4, 2, 6), "Labelling the atoms of layer 4 (2 of 6), 1 of 4,096 labels"),
        (TrainingStage("held-out", 1000, 4096), "Reading text to measure on, 1,000 of 4,096 tokens"),
        (TrainingStage("measuring", 0, 1, 4), "Measuring the dictionary"),
        (TrainingStage("measuring", 1, 3, 4, 2, 3), "Measuring dictionary 2 of 3"),
        (TrainingStage("saving", 2, 3, 4, 3, 3), "Saving dictionary 3 of 3"),
        (TrainingStage("saving", 1, 3, None, 0, 3), "Saving dictionary 2 of 3"),
    ],
)  # fmt: skip
def test_stages(stage: TrainingStage, words: str) -> None:
    assert stage_words(stage) == words


def test_steps_and_times() -> None:
    assert step_words("training") == "Reading text"
    assert step_words("growing the dictionary of layer 3") == "Reading text"
    assert step_words("loading the model") == "Loading the model"
    assert time_left_words(200, rough=False) == "3 min 20 s left"
    assert time_left_words(200, rough=True) == "about 3 min 20 s left"
    assert time_left_words(0.2, rough=True) == ""  # before the first round
