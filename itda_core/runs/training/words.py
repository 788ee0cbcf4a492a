"""What a training is at, in words that hold nothing of a model's or a corpus's: for the page and the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from itda_core.dictionaries.training_stage import TrainingStage
from itda_core.runs.layers import format_layers
from itda_core.runs.units import duration

READING = "Reading text"


def stage_words(stage: TrainingStage) -> str:
    """`Choosing atoms of layer 4 (2 of 6), round 3 of 64`."""
    done, total = stage.done, stage.total
    if stage.name == "passing":
        return f"Passing block {stage.number} of {stage.of}, {stage.share or 0:.0%} of the text"
    if stage.name == "ahead":
        return f"Looking at the first tokens, {_of(done, total)}"
    if stage.name == "reading":
        return f"{READING}{_for(stage)}, {read_words(stage)}"
    if stage.name == "choosing":
        return f"Choosing atoms{_whose(stage)}, round {_of(min(done + 1, total or done + 1), total)}"
    if stage.name == "labelling":
        return f"Labelling the atoms{_whose(stage)}, {_of(done, total)} labels"
    if stage.name == "held-out":
        return f"Reading text to measure on{_for(stage)}, {_of(done, total)} tokens"
    verb = "Measuring" if stage.name == "measuring" else "Saving"
    if stage.of == 1:
        return f"{verb} the dictionary"
    number = stage.number or min(done + 1, stage.of)  # of those on a cluster, none is the one at hand
    return f"{verb} dictionary {number} of {stage.of}"


def step_words(step: str) -> str:
    """A step of a job, as its worker names it, in the words of a training's stages."""
    if step == "training" or step.startswith("growing the dictionary"):
        return READING
    return step[:1].upper() + step[1:]


def time_left_words(seconds: float, *, rough: bool) -> str:
    """`about 3 min 20 s left`; `about` where a guess is in it; nothing where it is a guess of less than a second.

    Such a guess is made before the first round, which waits for the pursuit to be compiled.
    """
    if rough and seconds < 1:
        return ""
    return f"{'about ' if rough else ''}{duration(seconds)} left"


def read_words(stage: TrainingStage) -> str:
    """`12,000 of about 1,400,000 tokens`, of a stage that reads."""
    return f"{_of(stage.done, stage.total, about=stage.about)} tokens"


def text_ended_words(tokens: int, wanted: int) -> str:
    """That a text had fewer tokens than were wanted."""
    return f"The text ended after {tokens:,} of {wanted:,} tokens."


def full_words(atoms: int, tokens: int, wanted: int | None, layers: Sequence[int | None]) -> str:
    """That reading ended early because no dictionary could take another atom.

    - atoms: of each; layers: of the dictionaries that were grown together, None for one of a module without a number;
    - tokens: read so far; wanted: None: the whole text.
    """
    numbers = tuple(layer for layer in layers if layer is not None)
    if len(layers) == 1:
        which = f"The dictionary of layer {numbers[0]}" if numbers else "The dictionary"
        whose = f"{which} was full ({atoms:,} atoms)"
    else:
        named = len(numbers) == len(layers)
        which = f"The dictionaries of layers {format_layers(numbers)}" if named else "All dictionaries"
        whose = f"{which} were full ({atoms:,} atoms each)"
    return f"{whose} after {_of(tokens, wanted)} tokens; the rest of the text was not read."


def _of(done: int, total: int | None, *, about: bool = False) -> str:
    return f"{done:,}" if total is None else f"{done:,} of {'about ' * about}{total:,}"


def _which(stage: TrainingStage) -> str:
    """Of several dictionaries, the one at hand."""
    counted = f"{stage.number} of {stage.of}"
    return f"dictionary {counted}" if stage.layer is None else f"layer {stage.layer} ({counted})"


def _whose(stage: TrainingStage) -> str:
    if stage.of == 1:
        return ""
    return f" of {stage.of} layers" if stage.number == 0 else f" of {_which(stage)}"


def _for(stage: TrainingStage) -> str:
    return "" if stage.of == 1 or stage.number == 0 else f" for {_which(stage)}"
