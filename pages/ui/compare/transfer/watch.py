"""A transfer of labels as it happens, and what it found; as VIEW for job_watch."""

from __future__ import annotations

from collections.abc import Callable

from itda_core.runs.jobs.jobs import Job
from itda_core.runs.jobs.kinds import TRANSFER
from itda_core.runs.transfer.request import TransferRequest
from itda_core.runs.transfer.status import TransferStatus
from pages.ui.compare.transfer import results as transfer_results
from pages.ui.jobs import job_watch
from pages.ui.jobs.job_words import subject


def _figures(job: Job[TransferRequest, TransferStatus], status: TransferStatus) -> None:
    if status.table is not None:
        transfer_results.show(status.table)


def _under(request: TransferRequest) -> str:
    return f"{request.tokens:,} held-out tokens, {request.draws} random draws, seed {request.seed}"


def _files(
    job: Job[TransferRequest, TransferStatus],
) -> dict[str, tuple[str, str, Callable[[], bytes | str]]]:
    csvs = {"Table (CSV)": ("", transfer_results.csv)}
    return job_watch.table_files(job, job.status.table, f"transfer-{job.id}", csvs)


VIEW = job_watch.View(TRANSFER, subject, _under, _figures, lambda job, status: None, _files, ("k", "cells"))
