"""What can be seen to be wrong with an evaluation before it starts, without loading or fetching anything."""

from __future__ import annotations

from collections.abc import Callable

from itda_core.dictionaries.storage.dictionary_folder import read_summary
from itda_core.models.devices import check_device
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.evaluation import estimate_evaluation
from itda_core.runs.costs.model_figures import ModelFigures
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.faults import Faults
from itda_core.runs.library import Library


def find_faults(
    request: EvaluateRequest, faults: Faults, *, known: Callable[[ModelSpec, Faults], ModelFigures | None]
) -> None:
    """Keeps what is wrong with `request`; known: training.checks.known_model, or what remembers it."""
    with faults.caught("device"):
        check_device(request.device)
    with faults.caught("dictionaries"):
        library = Library(request.library)
        summaries = [read_summary(library.find(name)) for name in request.dictionaries]
        own = {(one.model, request.revision or one.revision) for one in summaries}
        for name, revision in [(request.model, request.revision)] if request.model else sorted(own, key=str):
            known(ModelSpec(name, revision, offline=request.offline), faults)
    if not faults.of("model"):
        with faults.caught("dictionaries"):
            estimate_evaluation(request)
