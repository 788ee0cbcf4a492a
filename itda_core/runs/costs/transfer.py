"""What a transfer of labels will cost, before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from itda_core.runs.costs.counted import forward_per_token, pursuit_per_token
from itda_core.runs.costs.machines import operations_per_second
from itda_core.runs.costs.model_figures import ModelFigures, model_figures
from itda_core.runs.library import Library
from itda_core.runs.machine import machine
from itda_core.runs.transfer.request import TransferRequest

if TYPE_CHECKING:
    from itda_core.dictionaries import LabelsOnly

READING, HELD_OUT, MEASURING = "reading the labels' text", "reading held-out text", "measuring"  # transfer_table's
_TOKENS = 20_000  # of the text of labels that do not say how much of it their dictionary read


@dataclass(frozen=True)
class TransferEstimate:
    """Costs of one transfer on this machine."""

    labels: int  # dictionaries whose labels are transferred
    layers: int | None  # into which; None where the model is not on this machine yet
    text: int | None  # tokens of the labels' text; None where the labels do not say
    seconds: tuple[float, float] | None  # fast, slow; None where the model is not on this machine yet


def estimate_transfer(request: TransferRequest) -> TransferEstimate:
    """What `request` will cost; no model is loaded and nothing is fetched.

    The model reads the labels' text and the held-out tokens; loading it and cutting the text into tokens are not
    counted. Each layer's dictionaries (every one rebuilt, its own and the random ones) cost 2 x atoms^2 x d_model
    operations of their Gram matrix, and at each k a pursuit per token. Forward passes and pursuits are counted as in
    `counted`.

    Raises UserError for labels that do not exist, are damaged or do not belong together, for a k above their atoms, and
    for layers that the model lacks.
    """
    labels = request.read_labels(Library(request.library))
    read = [one.stats.get("tokens") for one in labels]
    text = None if None in read else max(tokens for tokens in read if tokens is not None)
    figures = model_figures(request.model)
    if figures is None:
        return TransferEstimate(len(labels), None, text, None)
    layers = request.target_layers(labels, figures.n_layers)
    slow, fast = operations_per_second(machine(), request.model.device)
    operations = sum(operations_by_step(request, labels, figures).values())
    return TransferEstimate(len(labels), len(layers), text, (operations / fast, operations / slow))


def operations_by_step(
    request: TransferRequest, labels: Sequence[LabelsOnly], figures: ModelFigures
) -> dict[str, float]:
    """What each step of `transfer_table` costs; those that are not named here cost little."""
    text = max(one.stats.get("tokens") or _TOKENS for one in labels)
    pass_per_token = float(forward_per_token(figures.parameters))
    largest = max(labels, key=len)
    # The layer's own dictionary is assumed to be as large as the largest of the labels'.
    dictionaries = [*labels, *(largest,) * (request.draws + 1)]
    width = figures.d_model
    measuring = sum(
        2 * len(one) ** 2 * width
        + request.tokens * sum(pursuit_per_token(len(one), width, k) for k in request.ks or (one.config.k,))
        for one in dictionaries
    )
    n_layers = len(request.target_layers(labels, figures.n_layers))
    return {
        READING: text * pass_per_token,
        HELD_OUT: request.tokens * pass_per_token,
        MEASURING: float(n_layers * measuring),
    }
