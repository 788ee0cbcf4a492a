"""`itda match`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from itda_core.arguments import one_of
from itda_core.cli.options import (
    INTERRUPTED,
    AsJson,
    Centre,
    Context,
    Corpus,
    Device,
    Dtype,
    JobFolder,
    JudgingMethod,
    Offline,
    Placement,
    RemoteCode,
    Revision,
    Windows,
    go_offline,
    listed,
    training_config,
)
from itda_core.cli.terminal import print_json, print_table, stdout_for_json, training_line, visible
from itda_core.dictionaries.config import SELECTIONS
from itda_core.files.paths import new_file
from itda_core.models.sites import KINDS as SITES
from itda_core.runs.jobs.stopping import StopRequest
from itda_core.runs.matching.request import ANCHORS, DICTIONARIES, MEASURES, MatchRequest
from itda_core.runs.training.request import DEFAULT_SITE

Models = Annotated[list[str], typer.Argument(metavar="MODEL...", help="demo:0 ... demo:4, local folders, Hub ids.")]
SiteName = Annotated[str, typer.Option(help=f"{', '.join(SITES)} or a module path.")]
Measures = Annotated[
    list[str] | None,
    typer.Option(
        metavar="M[,M...]",
        help=f"{', '.join(MEASURES)}; all of them if left out.",
    ),
]
Anchors = Annotated[int, typer.Option(help="Tokens that relative representations and codes describe others by.")]
SelectionRule = Annotated[str, typer.Option(help=f"{one_of(SELECTIONS)}, see itda train.")]
Threshold = Annotated[
    float | None, typer.Option(help="Error above which an activation becomes an atom, see itda train.")
]
Sinks = Annotated[
    float | None,
    typer.Option(help="Leave out attention sinks, norms above so many medians; 10 if left out, 0: leave out none."),
]


def match(
    models: Models,
    corpus: Corpus,
    layers: Annotated[str, typer.Option(help="For example 0,2-4, or all, if the models have equally many.")] = "all",
    site: SiteName = DEFAULT_SITE,
    tokens: Annotated[int, typer.Option(help="Tokens to compare on, the first of the corpus.")] = 20_000,
    measures: Measures = None,
    anchors: Anchors = ANCHORS,
    context: Context = DICTIONARIES.context,
    windows: Windows = DICTIONARIES.windows,
    k: Annotated[int, typer.Option("--k", help="Atoms per token, while dictionaries grow.")] = DICTIONARIES.k,
    method: JudgingMethod = DICTIONARIES.method,
    selection: SelectionRule = DICTIONARIES.selection,
    threshold: Threshold = None,
    atoms: Annotated[int | None, typer.Option(help="Stop growing at this many atoms, see itda train.")] = None,
    centre: Centre = False,
    sinks: Sinks = None,
    seed: Annotated[int, typer.Option(help="Of the anchors, and of selections that draw at random.")] = 0,
    csv: Annotated[Path | None, typer.Option(help="Write every similarity into this file.")] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    job: JobFolder = None,
    as_json: AsJson = False,
) -> None:
    """Is a layer most like the same layer of another model? Every measure of similarity put to that task."""
    from itda_core.runs.layers import parse_layers

    go_offline(offline)
    request = MatchRequest(
        models=tuple(models),
        corpus=corpus,
        config=training_config(
            k=k,
            method=method,
            selection=selection,
            threshold=threshold,
            atoms=atoms,
            centre=centre,
            tokens=tokens,
            context=context,
            windows=windows,
            seed=seed,
            sinks=sinks,
        ),
        layers=parse_layers(layers),
        site=site,
        measures=tuple(listed(measures)) or MEASURES,
        anchors=anchors,
        revision=revision,
        device=device,
        dtype=dtype,
        offline=offline,
        trust_remote_code=trust_remote_code,
        placement=placement,
    )
    _match(request, csv=csv, job=job, as_json=as_json)


def _match(request: MatchRequest, *, csv: Path | None, job: Path | None, as_json: bool) -> None:
    from itda_core.files import write_text

    csv = None if csv is None else new_file(csv, "--csv")
    from itda_core.runs.jobs.worker import match_for_job
    from itda_core.runs.matching.run import COLUMNS, match_models, remarks, rows, similarities_csv
    from itda_core.runs.training.run import Interrupted

    try:
        with stdout_for_json(as_json), StopRequest(), training_line() as line:
            if job is None:
                told, table = 0, None
                for progress in match_models(request, on_step=line.step):
                    line.share(progress)
                    for note in progress.notes[told:]:
                        line.note(visible(note))
                    told, table = len(progress.notes), progress.table
                assert table is not None, "a study ends with its table"
            else:
                table = match_for_job(job, request, on_step=line.step)
    except (KeyboardInterrupt, Interrupted):
        typer.echo("Interrupted; a layer matching cannot be continued, only begun again.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if csv is not None:
        write_text(csv, similarities_csv(table))
    if as_json:
        print_json(table.to_dict())
        return
    print_table(COLUMNS, rows(table), numbers=COLUMNS[1:])
    for remark in remarks(table):
        typer.echo(visible(remark))
