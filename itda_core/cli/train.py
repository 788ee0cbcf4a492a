"""`itda train`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itda_core.cli.options import INTERRUPTED, AsJson, JobFolder
from itda_core.cli.request_command import asks_for
from itda_core.cli.terminal import TrainingLine, print_json, print_table, stdout_for_json, training_line
from itda_core.figures_as_text import fvu_words
from itda_core.runs.jobs.kinds import TRAINING
from itda_core.runs.jobs.request_options import SETTINGS_SHOWN
from itda_core.runs.jobs.stopping import Interrupted, StopRequest
from itda_core.runs.training.request import TrainRequest

if TYPE_CHECKING:
    from itda_core.runs.training.run import TrainedDictionary

_ORDER = (
    *("model", "corpus", "layers", "site", "tokens", "context", "windows", "k", "method", "selection", "threshold"),
    *("atoms", "centre", "seed", "sinks", *SETTINGS_SHOWN, "name", "library", "resume", "initial", "keep_activations"),
)


@asks_for(TrainRequest, _ORDER)
def train(
    request: TrainRequest,
    *,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an unfinished run of this training, or with one, unfinished or finished, that had fewer "
            "tokens, a higher threshold or fewer atoms: its atoms are kept, and reading goes on where it stopped, "
            "under the new settings; where no text is left, it is read again with the lower threshold. The earlier "
            "dictionaries stay in the library.",
        ),
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]",
            help="Spread the work over a Ray cluster (extra cluster): host:port of one that this machine belongs to, "
            "or nothing (auto), which starts one of this machine's cores. The dictionaries are the same.",
        ),
    ] = None,
    checkpoint_seconds: Annotated[float, typer.Option(min=0, hidden=True)] = 20.0,
    job: JobFolder = None,
    as_json: AsJson = False,
) -> None:
    """Train one dictionary per layer and save them into the library."""
    _train(request, cluster=cluster, resume=resume, checkpoint_seconds=checkpoint_seconds, job=job, as_json=as_json)


def _train(
    request: TrainRequest,
    *,
    cluster: str | None,
    resume: bool,
    checkpoint_seconds: float,
    job: Path | None,
    as_json: bool,
) -> None:
    more = "" if cluster is None else f" --cluster {shlex.quote(cluster)}"
    try:
        with stdout_for_json(as_json), StopRequest() as stop, training_line() as line:
            results = _trained(
                request, stop, line, cluster=cluster, resume=resume, checkpoint_seconds=checkpoint_seconds, job=job
            )
    except Interrupted as interrupted:
        typer.echo(interrupted.sentence(f"{request.command()}{more} --resume", resuming=resume), err=True)
        raise typer.Exit(INTERRUPTED) from None
    except KeyboardInterrupt:
        typer.echo("Interrupted; an earlier checkpoint, if there is one, is kept.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json({"dictionaries": [asdict(result) for result in results]})
    else:
        _print_trained(results)


def _trained(
    request: TrainRequest,
    stop: StopRequest,
    line: TrainingLine,
    *,
    cluster: str | None,
    job: Path | None,
    **more: Any,
) -> Sequence[TrainedDictionary]:
    """The training's results; more: arguments of training.run."""
    from itda_core.runs import cluster as clusters
    from itda_core.runs.jobs.worker import work_for_job

    def step(name: str) -> None:
        line.step(name)
        if name == "training":
            stop.defer()

    if cluster is not None:
        more["instead"] = partial(clusters.run, address=cluster)
    more["should_stop"] = lambda: stop.requested
    if job is not None:
        return work_for_job(job, request, on_step=step, **more)
    return TRAINING.do(request, on_step=step, on_progress=line.update, on_note=line.note, **more)


def _print_trained(results: Sequence[TrainedDictionary]) -> None:
    """One row per dictionary."""
    rows = [
        (
            result.layer,
            result.site,
            f"{result.atoms:,}",
            f"{result.tokens:,}",
            f"{result.seconds:.1f}",
            fvu_words(result.fvu, result.fvu_text),
            f"{result.mean_relative_error:.3f}",
            result.path,
        )
        for result in results
    ]
    columns = ("layer", "site", "atoms", "tokens", "seconds", "FVU, held-out", "mean error while growing", "path")
    print_table(columns, rows, numbers=columns[2:-1])
