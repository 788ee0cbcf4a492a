"""`itda evaluate`."""

from __future__ import annotations

from pathlib import Path

from itda_core.cli.options import AsJson, JobFolder
from itda_core.cli.request_command import asks_for, outcome_of
from itda_core.cli.terminal import print_evaluations, print_json
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.jobs.request_options import SETTINGS_SHOWN


@asks_for(EvaluateRequest, ("dictionaries", "corpus", "tokens", "k", "method", "model", *SETTINGS_SHOWN, "library"))
def evaluate(request: EvaluateRequest, *, job: JobFolder = None, as_json: AsJson = False) -> None:
    """How good dictionaries are: what they miss of text they were not built from, and what it costs the model."""
    _evaluate(request, job=job, as_json=as_json)


def _evaluate(request: EvaluateRequest, *, job: Path | None, as_json: bool) -> None:
    results = outcome_of(request, job=job, as_json=as_json)
    if as_json:
        print_json({"results": [result.to_dict() for result in results]})
    else:
        print_evaluations(results)
