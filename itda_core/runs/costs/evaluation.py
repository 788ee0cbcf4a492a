"""What an evaluation will cost, before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from itda_core.analysis.evaluate import TOKENS
from itda_core.dictionaries.storage.dictionary_folder import DictionarySummary, read_summary
from itda_core.errors import UserError
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.counted import forward_per_token, pursuit_per_token
from itda_core.runs.costs.machines import operations_per_second
from itda_core.runs.costs.model_figures import model_figures
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.library import Library
from itda_core.runs.machine import machine


@dataclass(frozen=True)
class EvaluationEstimate:
    """Costs of one evaluation on this machine."""

    results: int  # dictionaries x k x methods
    passes: int  # forward passes over the text, of all models together
    tokens: int  # of each pass
    seconds: tuple[float, float] | None  # fast, slow; None where a model is not on this machine yet


def estimate_evaluation(request: EvaluateRequest) -> EvaluationEstimate:
    """What `request` will cost; nothing is loaded and nothing is fetched.

    Forward passes and pursuits are counted as in `counted`: one pass of the model alone, one with zeros at each site,
    one for each result (an encoder needs the first only; that is not known beforehand). Loading and finding the text
    are not counted.

    Raises UserError for a dictionary that does not exist or is damaged, and for a k above its number of atoms.
    """
    library, tokens = Library(request.library), TOKENS if request.tokens is None else request.tokens
    if tokens < 1:
        raise UserError(f"tokens={tokens} measures nothing; give at least 1, for example {TOKENS}.", field="tokens")
    models: dict[str, list[DictionarySummary]] = {}
    for name in dict.fromkeys(request.dictionaries):
        summary = read_summary(library.find(name))
        models.setdefault(request.model or summary.model, []).append(summary)
    if not models:
        raise UserError("No dictionary was chosen; choose at least one.", field="dictionaries")
    n_methods = len(request.methods) or 1
    n_results = n_passes = 0
    operations: float | None = 0.0
    for model, summaries in models.items():
        rows = [(summary, k) for summary in summaries for k in request.ks or (summary.k,)]
        for summary, k in rows:
            if not 1 <= k <= summary.atoms:
                raise UserError(
                    f"k={k} is not possible for {summary.name}, which has {summary.atoms:,} atoms; choose a k between "
                    f"1 and {summary.atoms:,}.",
                    field="k",
                )
        passes = 1 + len({(summary.site, summary.layer) for summary in summaries}) + len(rows) * n_methods
        n_results += len(rows) * n_methods
        n_passes += passes
        figures = model_figures(ModelSpec(model, request.revision))
        if figures is None or operations is None:
            operations = None
            continue
        pursuits = sum(n_methods * pursuit_per_token(summary.atoms, figures.d_model, k) for summary, k in rows)
        operations += tokens * (passes * forward_per_token(figures.parameters) + pursuits)
    seconds = None
    if operations is not None:
        slow, fast = operations_per_second(machine(), request.device)
        seconds = (operations / fast, operations / slow)
    return EvaluationEstimate(n_results, n_passes, tokens, seconds)
