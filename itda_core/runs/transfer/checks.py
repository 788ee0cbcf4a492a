"""What can be seen to be wrong with a transfer of labels before it starts, without loading or fetching anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from itda_core.comparison.label_transfer.transfer import check_labels
from itda_core.models.devices import check_device
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.model_figures import ModelFigures
from itda_core.runs.faults import Faults
from itda_core.runs.library import Library
from itda_core.runs.transfer.request import TransferRequest
from itda_core.runs.verify import check_named

if TYPE_CHECKING:
    from itda_core.dictionaries import LabelsOnly


def find_faults(
    request: TransferRequest, faults: Faults, *, known: Callable[[ModelSpec, Faults], ModelFigures | None]
) -> None:
    """Keeps what is wrong with `request`; known: training.checks.known_model, or what remembers it."""
    with faults.caught("device"):
        check_device(request.model.device)
    figures = known(request.model, faults)
    labels: list[LabelsOnly] = []
    if not faults.of("labels"):
        with faults.caught("labels"):
            labels = replace(request, ks=()).read_labels(Library(request.library))
    if labels:
        with faults.caught("k"):
            check_labels(labels, request.ks)
    if labels and figures is not None:
        with faults.caught("layers"):
            request.target_layers(labels, figures.n_layers)
    if labels and request.corpus is None:
        with faults.caught("corpus"):
            check_named(labels[0].spec.corpus)
