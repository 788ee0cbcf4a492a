"""How long a steering takes, before it starts."""

from __future__ import annotations

from itda_core.dictionaries.storage.dictionary_folder import read_summary
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.counted import forward_per_token, pursuit_per_token
from itda_core.runs.costs.machines import operations_per_second
from itda_core.runs.costs.model_figures import model_figures
from itda_core.runs.library import Library
from itda_core.runs.machine import machine
from itda_core.runs.steering.request import SteerRequest

# Rough, by 24 tokens of the bundled model on two cores: so long a pass for one token takes, however small the model.
_EACH_PASS = (0.004, 0.03)  # seconds, fast and slow
# A pass for one token reads every weight once, so that it does far fewer operations per second than one for many.
_OF_MANY = 0.1


def steering_seconds(request: SteerRequest) -> tuple[float, float] | None:
    """Seconds for what is written before and after, fast and slow; None where the model is not on this machine yet.

    Loading the model is not counted. Raises UserError for a dictionary that does not exist or is damaged.
    """
    summary = read_summary(Library(request.library).find(request.dictionary))
    figures = model_figures(ModelSpec(request.model or summary.model, request.revision or summary.revision))
    if figures is None:
        return None
    k = min(request.k or summary.k, summary.atoms)
    each = 2 * forward_per_token(figures.parameters) + pursuit_per_token(summary.atoms, summary.d_model, k)
    slow, fast = (_OF_MANY * rate for rate in operations_per_second(machine(), request.device))
    passes = 2 * request.new_tokens
    return (
        request.new_tokens * each / fast + passes * _EACH_PASS[0],
        request.new_tokens * each / slow + passes * _EACH_PASS[1],
    )
