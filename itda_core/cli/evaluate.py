"""`itda evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from itda_core.arguments import one_of
from itda_core.cli.options import (
    INTERRUPTED,
    AsJson,
    Device,
    Dtype,
    JobFolder,
    LibraryFolder,
    Offline,
    OtherModel,
    RemoteCode,
    Revision,
    go_offline,
    listed,
    whole_number,
)
from itda_core.cli.terminal import print_evaluations, print_json, stdout_for_json, training_line, visible
from itda_core.dictionaries.config import METHODS
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.jobs.stopping import StopRequest


def evaluate(
    dictionaries: Annotated[list[str], typer.Argument(metavar="DICTIONARY...", help="Names or folders.")],
    corpus: Annotated[
        str | None,
        typer.Option(help="Text to measure on; the one each dictionary was built from, behind what was read of it."),
    ] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens to measure on; 4096 if left out.")] = None,
    k: Annotated[
        list[str] | None, typer.Option("--k", metavar="N[,N...]", help="Atoms per token; the dictionary's own k.")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option(metavar="M[,M...]", help=f"{one_of(METHODS)}; the dictionary's own if left out.")
    ] = None,
    model: OtherModel = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    library: LibraryFolder = None,
    job: JobFolder = None,
    as_json: AsJson = False,
) -> None:
    """How good dictionaries are: what they miss of text they were not built from, and what it costs the model."""
    go_offline(offline)
    request = EvaluateRequest(
        dictionaries=tuple(dictionaries),
        corpus=corpus,
        ks=tuple(whole_number(part) for part in listed(k)),
        methods=tuple(listed(method)),
        tokens=tokens,
        model=model,
        revision=revision,
        device=device,
        dtype=dtype,
        offline=offline,
        trust_remote_code=trust_remote_code,
        library=library,
    )
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
