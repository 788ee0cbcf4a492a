"""The progress line of a terminal: what it says in each stage of a training."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from itda_core.analysis import EvaluationProgress
from itda_core.cli import terminal
from itda_core.cli.terminal import TrainingLine
from itda_core.dictionaries import LayerProgress, TrainProgress
from itda_core.dictionaries.training_stage import TrainingStage

GROWN = LayerProgress("resid_post", 2, 300, 0.25, 0.1, (), sinks=4, predicted_atoms=1200)
WAITING = LayerProgress("resid_post", 2, 0, 1.0, 0.0, (), predicted_atoms=500, steps=64)
CHOSEN = replace(WAITING, step=16, relative_error=0.4)
READING = TrainProgress(1500, 6000, 3.0, 500.0, 9.0, (GROWN,))


@pytest.fixture
def line() -> tuple[TrainingLine, Progress]:
    columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[figures]}"))
    progress = Progress(*columns, terminal._time_left(), console=Console(file=StringIO(), width=200))
    return TrainingLine(progress), progress


def shown(progress: Progress) -> str:
    """The words of the line, without its bar."""
    console = Console(file=StringIO(), width=200)
    console.print(progress.get_renderable())
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]  (a StringIO)
    return " ".join(text.translate(dict.fromkeys(map(ord, "━╸╺"), " ")).split())


@pytest.mark.parametrize(
    ("training", "words"),
    [
        (
            READING,
            [
                *("Reading text, 1,500 of 6,000 tokens", "25%", "500/s", "300 of about 1,200 atoms", "error 0.250"),
                *("4 attention sinks left out", "9 s left"),
            ],
        ),
        (
            replace(READING, layers=(WAITING,), rough=True),
            ["Reading text, 1,500 of 6,000 tokens", "25%", "500/s", "about 9 s left"],
        ),
        (
            replace(READING, layers=(replace(WAITING, step=1),), at=TrainingStage("choosing", 1, 64, 2), rough=True),
            ["Choosing atoms, round 2 of 64", "2%", "about 9 s left"],
        ),
        (
            replace(READING, layers=(CHOSEN,), at=TrainingStage("choosing", 16, 64, 2)),
            ["Choosing atoms, round 17 of 64", "25%", "error 0.400", "9 s left"],
        ),
        (
            replace(READING, layers=(WAITING,), at=TrainingStage("labelling", 10, 40, 2)),
            ["Labelling the atoms, 10 of 40 labels", "25%", "9 s left"],
        ),
        (
            replace(READING, at=TrainingStage("measuring", 1, 4, 2, 2, 4), eta=None),
            ["Measuring dictionary 2 of 4", "25%"],
        ),
    ],
)  # fmt: skip
def test_each_stage_says_what_is_known_in_it(
    line: tuple[TrainingLine, Progress], training: TrainProgress, words: list[str]
) -> None:
    drawn, progress = line
    drawn.step("training")
    drawn.update(training)
    assert shown(progress) == " ".join(words)


def test_a_text_of_unknown_length_has_no_share(line: tuple[TrainingLine, Progress]) -> None:
    drawn, progress = line
    drawn.update(replace(READING, at=TrainingStage("ahead", 100, 400)))
    drawn.update(replace(READING, total=None, eta=None))
    (task,) = progress.tasks
    assert (task.description, task.total) == ("Reading text, 1,500 tokens", None)


def test_steps_and_other_work(line: tuple[TrainingLine, Progress]) -> None:
    drawn, progress = line
    assert shown(progress).startswith("Starting…")
    drawn.step("loading the model")
    assert shown(progress).startswith("Loading the model")
    drawn.share(EvaluationProgress("measuring", 0.5, 150, 6.0, 2.0, (), ()))
    assert shown(progress) == "Measuring 50% 150 tokens -:--:--"
