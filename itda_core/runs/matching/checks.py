"""What can be seen to be wrong with a study of layer matching before it starts; nothing is loaded or fetched."""

from __future__ import annotations

from collections.abc import Callable

from itda_core.comparison.matching.accuracy import same_layers
from itda_core.models.devices import check_device
from itda_core.models.sites import KINDS
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.model_figures import ModelFigures
from itda_core.runs.faults import Faults
from itda_core.runs.matching.request import MatchRequest


def find_faults(
    request: MatchRequest, faults: Faults, *, known: Callable[[ModelSpec, Faults, str], ModelFigures | None]
) -> None:
    """Keeps what is wrong with `request`; known: training.checks.known_model, or what remembers it."""
    with faults.caught("device"):
        check_device(request.device)
    models = {spec.name: figures for spec in request.specs() if (figures := known(spec, faults, "models"))}
    if not models or faults.of("models"):
        return
    with faults.caught("layers"):
        same_layers([*models], [figures.n_layers for figures in models.values()], request.layers)
    for name, figures in models.items():
        if figures.context is not None:
            with faults.caught():
                request.config.check_context(name, figures.context)
        if request.site in KINDS and "itda" in request.measures:
            with faults.caught():
                request.config.check_k(figures.d_model)
