"""`itda transfer`."""

from __future__ import annotations

from pathlib import Path

import typer

from itda_core.cli.options import INTERRUPTED, AsJson, JobFolder
from itda_core.cli.request_command import asks_for
from itda_core.cli.terminal import print_json, print_transfer, stdout_for_json, training_line
from itda_core.runs.jobs.request_options import SETTINGS_SHOWN
from itda_core.runs.jobs.stopping import StopRequest
from itda_core.runs.transfer.request import TransferRequest

_ORDER = (
    *("labels", "model", "layers", "k", "method", "own", "corpus", "held_out", "tokens", "draws", "seed"),
    *(*SETTINGS_SHOWN, "library"),
)


@asks_for(TransferRequest, _ORDER)
def transfer(request: TransferRequest, *, job: JobFolder = None, as_json: AsJson = False) -> None:
    """How well labels of one model explain another: rebuilt there, beside its own dictionary and random ones."""
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
