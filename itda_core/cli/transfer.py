"""`itda transfer`."""

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
    LabelsCorpus,
    LibraryFolder,
    Model,
    Offline,
    Placement,
    RemoteCode,
    Revision,
    go_offline,
    listed,
    whole_number,
)
from itda_core.cli.terminal import print_json, print_transfer, stdout_for_json, training_line
from itda_core.comparison.label_transfer.transfer import DRAWS
from itda_core.comparison.label_transfer.transfer import TOKENS as TRANSFER_TOKENS
from itda_core.dictionaries.config import METHODS
from itda_core.runs.jobs.stopping import StopRequest
from itda_core.runs.transfer.request import OWN_LAYERS, TransferRequest


def transfer(
    labels: Annotated[
        list[str],
        typer.Argument(metavar="LABELS...", help="Dictionaries, by name or folder, or files of labels alone."),
    ],
    model: Model,
    layers: Annotated[
        str | None, typer.Option(help="Of MODEL, for example 0,2-4, or all; those of the labels if left out.")
    ] = None,
    k: Annotated[
        list[str] | None, typer.Option("--k", metavar="N[,N...]", help="Atoms per token; the labels' own k.")
    ] = None,
    method: Annotated[str | None, typer.Option(help=f"{one_of(METHODS)}; the labels' own if left out.")] = None,
    own: Annotated[
        list[str] | None,
        typer.Option(metavar="DICTIONARY", help="MODEL's own dictionary of a layer; looked for in the library."),
    ] = None,
    corpus: LabelsCorpus = None,
    held_out: Annotated[
        str | None, typer.Option(metavar="CORPUS", help="Text to measure on; what follows the labels' if left out.")
    ] = None,
    tokens: Annotated[int, typer.Option(help="Tokens to measure on.")] = TRANSFER_TOKENS,
    draws: Annotated[int, typer.Option(help="Random dictionaries to compare with.")] = DRAWS,
    seed: Annotated[int, typer.Option(help="Of the random dictionaries.")] = 0,
    device: Device = "auto",
    dtype: Dtype = "auto",
    revision: Revision = None,
    offline: Offline = False,
    trust_remote_code: RemoteCode = False,
    placement: Placement = "auto",
    library: LibraryFolder = None,
    job: JobFolder = None,
    as_json: AsJson = False,
) -> None:
    """How well labels of one model explain another: rebuilt there, beside its own dictionary and random ones."""
    from itda_core.models.spec import ModelSpec
    from itda_core.runs.layers import parse_layers

    go_offline(offline)
    request = TransferRequest(
        labels=tuple(labels),
        model=ModelSpec(model, revision, device, dtype, offline, trust_remote_code, placement),
        layers=OWN_LAYERS if layers is None else parse_layers(layers),
        ks=tuple(whole_number(part) for part in listed(k)),
        method=method,
        own=tuple(own or ()),
        corpus=corpus,
        held_out=held_out,
        tokens=tokens,
        draws=draws,
        seed=seed,
        library=library,
    )
    _transfer(request, job=job, as_json=as_json)


def _transfer(request: TransferRequest, *, job: Path | None, as_json: bool) -> None:
    from itda_core.runs.jobs.worker import transfer_for_job
    from itda_core.runs.training.run import Interrupted
    from itda_core.runs.transfer.run import transfer_labels

    try:
        with stdout_for_json(as_json), StopRequest(), training_line() as line:
            if job is None:
                table = transfer_labels(request, on_step=line.step, on_progress=line.share)
            else:
                table = transfer_for_job(job, request, on_step=line.step)
    except (KeyboardInterrupt, Interrupted):
        typer.echo("Interrupted; a transfer cannot be continued, only begun again.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(table.to_dict())
    else:
        print_transfer(table)
