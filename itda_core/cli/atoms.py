"""`itda atoms`: where the atoms of dictionaries fire."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from itda_core.cli.atom_reading import honesty, search, show
from itda_core.cli.options import INTERRUPTED, AsJson, JobFolder, group
from itda_core.cli.request_command import asks_for, command_for, shown_on
from itda_core.cli.terminal import TrainingLine, print_json, print_table, stdout_for_json, training_line
from itda_core.runs.indexing.request import IndexRequest
from itda_core.runs.indexing.run import READING
from itda_core.runs.indexing.status import IndexMade
from itda_core.runs.jobs.kinds import INDEXING, MAPPING
from itda_core.runs.jobs.request_options import SETTINGS_SHOWN
from itda_core.runs.jobs.stopping import Interrupted, StopRequest

atoms = group("Where the atoms of a dictionary fire.")
atoms.command("map")(command_for(MAPPING))
atoms.command("show")(show)
atoms.command("search")(search)
atoms.command("honesty")(honesty)


@atoms.command("index")
@asks_for(IndexRequest, ("dictionary", "corpus", "tokens", "model", *SETTINGS_SHOWN, "library", "resume"))
def index(
    request: IndexRequest,
    *,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an index that was stopped or killed while it was made.")
    ] = False,
    checkpoint_seconds: Annotated[float, typer.Option(min=0, hidden=True)] = 60.0,
    job: JobFolder = None,
    as_json: AsJson = False,
) -> None:
    """Where each atom fires in a text: an index that the page Atoms reads. It can be stopped and gone on with."""
    _index(request, resume=resume, checkpoint_seconds=checkpoint_seconds, job=job, as_json=as_json)


def _index(request: IndexRequest, *, resume: bool, checkpoint_seconds: float, job: Path | None, as_json: bool) -> None:
    try:
        with stdout_for_json(as_json), StopRequest() as stop, training_line() as line:
            made = _made(request, stop, line, resume=resume, checkpoint_seconds=checkpoint_seconds, job=job)
    except Interrupted as interrupted:
        typer.echo(interrupted.sentence(f"{request.command()} --resume", resuming=resume), err=True)
        raise typer.Exit(INTERRUPTED) from None
    except KeyboardInterrupt:
        typer.echo("Interrupted; what was kept before, if anything, is still there.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(made.to_dict())
        return
    rows = [(name.replace("_", " "), _shown(value)) for name, value in made.to_dict().items()]
    print_table(("figure", "value"), rows)


def _made(
    request: IndexRequest,
    stop: StopRequest,
    line: TrainingLine,
    *,
    resume: bool,
    checkpoint_seconds: float,
    job: Path | None,
) -> IndexMade:
    from itda_core.runs.jobs.worker import work_for_job

    def step(name: str) -> None:
        line.step(name)
        if name == READING:
            stop.defer()

    how = {"resume": resume, "checkpoint_seconds": checkpoint_seconds, "should_stop": lambda: stop.requested}
    if job is not None:
        return work_for_job(job, request, on_step=step, **how)
    return INDEXING.do(request, on_step=step, on_progress=shown_on(line), **how)


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.1f}" if isinstance(value, float) else str(value)
