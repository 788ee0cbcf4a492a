"""The progress of one training, merged from its groups of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from itda_core.dictionaries import TrainProgress


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
    return TrainProgress(done, total, seconds, rate, eta, tuple(ordered))
