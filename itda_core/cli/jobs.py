"""`itda jobs`: work in the background."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from itda_core.cli.options import AsJson, Yes, group
from itda_core.cli.terminal import print_json, print_table, visible

jobs = group("The work that the dashboard has started in the background.")


@jobs.command("list")
def list_jobs(as_json: AsJson = False) -> None:
    """Your jobs, newest first; then those whose folders are damaged."""
    from itda_core.runs.jobs.jobs import Jobs

    jobs, damaged = Jobs().list(), Jobs().damaged()
    if as_json:
        listed = [
            {"job": job.id, "kind": job.kind.name, "created": job.created, "state": job.state, "command": job.command}
            for job in jobs
        ]
        broken = [{"job": job.id, "kind": job.kind and job.kind.name, "problem": job.problem} for job in damaged]
        print_json({"jobs": listed, "damaged": broken})
        return
    if not jobs and not damaged:
        typer.echo("There are no jobs; the dashboard (itda app) starts them.")
        return
    rows = [(job.id, job.kind.noun, job.created, job.state, job.command) for job in jobs]
    rows += [(job.id, job.kind and job.kind.noun, None, "damaged", None) for job in damaged]
    print_table(("job", "kind", "created", "state", "the same in a terminal"), rows)
    for job in damaged:
        typer.echo(visible(job.problem), err=True)


@jobs.command("remove")
def remove_job(
    job: Annotated[str, typer.Argument(metavar="JOB", help="As itda jobs list names it.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a job that has ended or is damaged; the dictionaries it made stay. On a terminal it asks first."""
    from itda_core.runs.jobs.jobs import Jobs

    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        typer.confirm(f"Delete job {visible(job)}? It cannot be brought back.", abort=True, err=True)
    Jobs().remove(job)
    if as_json:
        print_json({"removed": job})
    else:
        typer.echo(f"Removed job {visible(job)}.")
