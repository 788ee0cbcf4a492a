"""A transfer of labels as it happens, and what it found; as VIEW for job_watch."""

from __future__ import annotations

import json
from collections.abc import Callable

from itda_core.files import finite
from itda_core.runs.job_kinds import TRANSFER
from itda_core.runs.jobs import Job
from itda_core.runs.transfer_request import TransferRequest
from itda_core.runs.transfer_status import TransferStatus
from pages.ui import job_watch, transfer_results
from pages.ui.job_words import subject


def _figures(job: Job[TransferRequest, TransferStatus], status: TransferStatus) -> None:
    if status.table is not None:
        transfer_results.show(status.table)


def _under(request: TransferRequest) -> str:
    return f"{request.tokens:,} held-out tokens, {request.draws} random draws, seed {request.seed}"


def _files(
    job: Job[TransferRequest, TransferStatus],
) -> dict[str, tuple[str, str, Callable[[], bytes | str]]]:
    name = f"transfer-{job.id}"
    files: dict[str, tuple[str, str, Callable[[], bytes | str]]] = {
        "All of it (JSON)": (f"{name}-all.json", "application/json", lambda: job_watch.everything(job))
    }
    table = job.status.table
    if table is None:
        return files
    return {
        "Table (CSV)": (f"{name}.csv", "text/csv", lambda: transfer_results.csv(table)),
        "Figures (JSON)": (
            f"{name}.json",
            "application/json",
            lambda: json.dumps(finite(table.to_dict()), indent=2, ensure_ascii=False),
        ),
        **files,
    }


VIEW = job_watch.View(TRANSFER, subject, _under, _figures, lambda job, status: None, _files, ("k", "cells"))
