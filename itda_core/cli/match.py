"""`itda match`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from itda_core.cli.options import AsJson, JobFolder
from itda_core.cli.request_command import asks_for, outcome_of
from itda_core.cli.terminal import print_json, print_table, visible
from itda_core.files import write_text
from itda_core.files.paths import new_file
from itda_core.runs.jobs.request_options import SETTINGS_SHOWN
from itda_core.runs.matching.request import MatchRequest

_ORDER = (
    *("models", "corpus", "layers", "site", "tokens", "measures", "anchors", "context", "windows", "k", "method"),
    *("selection", "threshold", "atoms", "centre", "sinks", "seed", "csv", *SETTINGS_SHOWN),
)


@asks_for(MatchRequest, _ORDER)
def match(
    request: MatchRequest,
    *,
    csv: Annotated[Path | None, typer.Option(help="Write every similarity into this file.")] = None,
    job: JobFolder = None,
    as_json: AsJson = False,
) -> None:
    """Is a layer most like the same layer of another model? Every measure of similarity put to that task."""
    _match(request, csv=csv, job=job, as_json=as_json)


def _match(request: MatchRequest, *, csv: Path | None, job: Path | None, as_json: bool) -> None:
    csv = None if csv is None else new_file(csv, "--csv")
    from itda_core.runs.matching.run import COLUMNS, remarks, rows, similarities_csv

    table = outcome_of(request, job=job, as_json=as_json)
    if csv is not None:
        write_text(csv, similarities_csv(table))
    if as_json:
        print_json(table.to_dict())
        return
    print_table(COLUMNS, rows(table), numbers=COLUMNS[1:])
    for remark in remarks(table):
        typer.echo(visible(remark))
