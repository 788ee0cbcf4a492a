"""What a study of layer matching will cost, before it starts."""

from __future__ import annotations

from itda_core.comparison.matching.accuracy import same_layers
from itda_core.comparison.measures.table import TABLE
from itda_core.runs.costs.counted import forward_per_token, pursuit_per_token
from itda_core.runs.costs.machines import operations_per_second
from itda_core.runs.costs.model_figures import model_figures
from itda_core.runs.machine import machine
from itda_core.runs.matching.request import TOKENS, MatchRequest

_ATOMS = 1000  # of a layer's dictionary, which is not known beforehand
_DECOMPOSITION = 20  # operations per cube of the width: singular values, solves


def estimate_match(request: MatchRequest) -> tuple[float, float] | None:
    """Seconds on this machine, a quick and a slow guess; None where a model is not on this machine yet.

    Nothing is loaded and nothing is fetched; loading the models is not counted. Per token: a forward pass as in
    `counted` and what the measures asked for need: per site a pursuit of its dictionary, 2 operations per pair of
    dimensions for the covariances of all sites, 2 x anchors per dimension and pair of sites for each anchored measure.
    Raises UserError for layers that the models lack.
    """
    figures = [model_figures(spec) for spec in request.specs()]
    known = [found for found in figures if found is not None]
    if len(known) < len(figures):
        return None
    n_layers = len(same_layers(request.models, [found.n_layers for found in known], request.layers))
    tokens = TOKENS if request.config.tokens is None else request.config.tokens
    width = n_layers * sum(found.d_model for found in known)
    n_sites = n_layers * len(known)
    per_token = float(sum(forward_per_token(found.parameters) for found in known))
    measures = [measure for measure in TABLE if measure.name in request.measures]
    needed = {measure.needs for measure in measures}
    if "dictionaries" in needed:
        per_token += sum(n_layers * pursuit_per_token(_ATOMS, found.d_model, request.config.k) for found in known)
    if "covariances" in needed:
        per_token += 2 * width**2
    per_token += 2 * request.anchors * (width + n_sites**2) * sum(measure.anchored for measure in measures)
    decompositions = n_sites * (n_sites + 1) / 2 * sum(measure.decomposes for measure in measures)
    fixed = decompositions * _DECOMPOSITION * max(found.d_model for found in known) ** 3
    slow, fast = operations_per_second(machine(), request.device)
    operations = tokens * per_token + fixed
    return operations / fast, operations / slow
