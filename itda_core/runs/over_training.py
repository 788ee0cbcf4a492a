"""Dictionaries of several checkpoints of one model beside the last one's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from itda_core.comparison import Convergence


@dataclass(frozen=True, eq=False)
class OverTraining:
    """When in training each layer settles, and notes."""

    convergence: Convergence
    notes: tuple[str, ...]  # sentences


def over_training(
    paths: Sequence[Path],
    *,
    corpus: str | None = None,
    offline: bool = False,
    trust_remote_code: bool = False,
    null: str = "uniform",
    interval: bool = True,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> OverTraining:
    """`comparison.convergence` of dictionaries in folders, or of labels in files, as `course_of` orders them.

    corpus: where their corpus is, to count what is comparable in it; None: estimated from what the trainings say,
    unless `null` needs the text, which is then looked for by its name.

    Raises UserError as `course_of` and `convergence` do, when a folder is no dictionary, and when the corpus is another
    one or is not found.
    """
    from itda_core.comparison import LabelSet, course_of
    from itda_core.comparison.over_training.convergence import convergence
    from itda_core.comparison.overlap.chance import check_null
    from itda_core.runs.comparing import corpus_of_labels, named_apart, tokenizers_of

    check_null(null)
    on_step("reading labels")
    series = course_of(named_apart([LabelSet.load(path) for path in paths]))
    text = tokenizers = None
    if corpus is not None or null == "token":
        on_step("reading the corpus")
        sets = list(series.sets.values())
        text = corpus_of_labels(sets, corpus)
        tokenizers = tokenizers_of(sets, offline=offline, trust_remote_code=trust_remote_code)
    on_step("comparing")
    found = convergence(
        series.sets,
        names=series.checkpoints,
        corpus=text,
        tokenizers=tokenizers,
        null=null,
        interval=interval,
        seed=seed,
    )
    return OverTraining(found, tuple(series.sentences()))
