"""The progress of one training, merged from its groups of layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from itda_core.dictionaries.training_stage import StageName, TrainingStage

if TYPE_CHECKING:
    from itda_core.dictionaries import TrainProgress

_ORDER: tuple[StageName, ...] = ("ahead", "reading", "choosing", "labelling", "held-out", "measuring", "saving")


def merged(
    groups: Sequence[Sequence[int]],
    progresses: Mapping[int, TrainProgress],
    *,
    site: str,
    tokens: int | None,
    seconds: float,
    rate: float,
) -> TrainProgress:
    """What `itda_core.train` would report of all layers together.

    - progresses: by the number of the group, of those that have begun; layers of the others have no atom yet;
    - tokens: to read, None: the whole corpus; those read are the mean over layers, so that they grow evenly;
    - seconds: of work so far; rate: tokens per second of this session.
    """
    from itda_core.dictionaries.growing.growth import LayerProgress
    from itda_core.dictionaries.growing.progress import TrainProgress
    from itda_core.models.sites import KINDS

    layers: list[LayerProgress] = []
    read = 0
    for i, group in enumerate(groups):
        progress = progresses.get(i)
        if progress is not None:
            read += progress.tokens * len(group)
            layers += progress.layers
        else:
            named = (site if site in KINDS else site.replace("{layer}", str(layer)) for layer in group)
            layers += [LayerProgress(name, layer, 0, 1.0, 0.0, ()) for name, layer in zip(named, group, strict=True)]
    done = round(read / max(1, sum(map(len, groups))))
    totals = [progress.total for progress in progresses.values()]
    total = next((value for value in totals if value is not None), tokens)
    eta = (total - done) / rate if total is not None and rate > 0 else None
    ordered = sorted(layers, key=lambda layer: -1 if layer.layer is None else layer.layer)
    at = _stage_of(list(progresses.values()), n_layers=len(layers), reading=len(progresses) < len(groups))
    etas = [progress.eta for progress in progresses.values() if progress.eta is not None and not progress.done]
    if at is None and total is None:
        at = _of_about(progresses.values(), done)
    if at is not None:
        eta = max(etas, default=None)
    elif eta is not None and any(progress.rough for progress in progresses.values()):
        eta = max([eta, *etas])  # the groups know what comes behind the reading
    return TrainProgress(
        *(done, total, seconds, rate, eta, tuple(ordered)),
        at=at,
        rough=any(progress.rough for progress in progresses.values()),
        text_ended=any(progress.text_ended for progress in progresses.values()),
        full=len(progresses) == len(groups) and all(progress.full for progress in progresses.values()),
    )


def _of_about(progresses: Iterable[TrainProgress], done: int) -> TrainingStage | None:
    """Reading a text of which about the length is known; None: it is not."""
    known = [stage.total for stage in (progress.stage for progress in progresses) if stage.about and stage.total]
    return TrainingStage("reading", done, known[0], about=True) if known and done < known[0] else None


def _stage_of(progresses: Sequence[TrainProgress], *, n_layers: int, reading: bool) -> TrainingStage | None:
    """What the layers are at together: the first stage that one of them is at, its units those of all layers.

    reading: whether some have not begun. None: they read text.
    """
    stages = [progress.stage for progress in progresses if not progress.done]
    present = {stage.name for stage in stages}
    names: list[StageName] = [name for name in _ORDER if name in present]
    if reading or names[:1] in (["ahead"], ["reading"]):
        return None
    if not names:
        return TrainingStage("measuring", n_layers, n_layers, None, 0, n_layers)
    first = names[0]
    if first == "choosing":
        rounds = [layer for progress in progresses for layer in progress.layers]
        total = sum(layer.steps for layer in rounds)
        return TrainingStage("choosing", sum(layer.step for layer in rounds), total, None, 0, n_layers)
    done = sum(stage.done for stage in stages if stage.name == first)
    total = sum(stage.total or 0 for stage in stages if stage.name == first)
    return TrainingStage(first, done, total, None, 0, n_layers)
