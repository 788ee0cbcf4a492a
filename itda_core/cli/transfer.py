"""`itda transfer`."""

from __future__ import annotations

from pathlib import Path

from itda_core.cli.options import AsJson, JobFolder
from itda_core.cli.request_command import asks_for, outcome_of
from itda_core.cli.terminal import print_json, print_transfer
from itda_core.runs.jobs.request_options import SETTINGS_SHOWN
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
    table = outcome_of(request, job=job, as_json=as_json)
    if as_json:
        print_json(table.to_dict())
    else:
        print_transfer(table)
