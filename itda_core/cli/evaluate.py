"""`itda evaluate`."""

from __future__ import annotations

from pathlib import Path

import typer

from itda_core.cli.options import INTERRUPTED, AsJson, JobFolder
from itda_core.cli.request_command import asks_for
from itda_core.cli.terminal import print_evaluations, print_json, stdout_for_json, training_line, visible
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.jobs.request_options import SETTINGS_SHOWN
from itda_core.runs.jobs.stopping import StopRequest


@asks_for(EvaluateRequest, ("dictionaries", "corpus", "tokens", "k", "method", "model", *SETTINGS_SHOWN, "library"))
def evaluate(request: EvaluateRequest, *, job: JobFolder = None, as_json: AsJson = False) -> None:
    """How good dictionaries are: what they miss of text they were not built from, and what it costs the model."""
    _evaluate(request, job=job, as_json=as_json)


def _evaluate(request: EvaluateRequest, *, job: Path | None, as_json: bool) -> None:
    from itda_core.runs.evaluation.run import measure
    from itda_core.runs.jobs.worker import evaluate_for_job
    from itda_core.runs.training.run import Interrupted

    try:
        with stdout_for_json(as_json), StopRequest(), training_line() as line:
            if job is None:
                told, results = 0, ()
                for progress in measure(request, on_step=line.step):
                    line.share(progress)
                    for note in progress.notes[told:]:
                        line.note(visible(note))
                    told, results = len(progress.notes), progress.results
            else:
                results = evaluate_for_job(job, request, on_step=line.step)
    except (KeyboardInterrupt, Interrupted):
        typer.echo("Interrupted; an evaluation cannot be continued, only begun again.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json({"results": [result.to_dict() for result in results]})
    else:
        print_evaluations(results)
