"""Do one model's labels explain another: a new transfer of labels, and those there have been."""

from __future__ import annotations

import streamlit as st

from itda_core.runs.jobs.jobs import Job
from itda_core.runs.jobs.kinds import TRANSFER
from itda_core.runs.transfer.request import TransferRequest
from itda_core.runs.transfer.status import TransferStatus
from pages.ui.compare import choice as compare_choice
from pages.ui.compare.transfer import form as transfer_form
from pages.ui.compare.transfer import results as transfer_results
from pages.ui.compare.transfer.web_page import web_page
from pages.ui.components.plain_text import notice
from pages.ui.forms import job_form
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.frame import address, engine, shell
from pages.ui.jobs import job_watch

_MEANS = (
    "One model's labels are rebuilt as atoms of another model, from its own activations at the same places, and "
    "measured on held-out text: an FVU near that of the other model's own dictionary, and well below that of as many "
    "places drawn at random, says that the two models single out the same places."
)


def page(frame: shell.Shell) -> None:
    """Draw a new transfer of labels, and those there have been."""
    st.caption(_MEANS)
    usable = compare_choice.ordered(entry for entry in engine.usable(frame.entries) if entry.model)
    if not usable:
        shell.complain()
        notice("There are no labels yet.", step="Train a dictionary.", key="transfer.none")
        frame.share({"show": "transfer"})
        return
    complaints = st.container()
    form, cost = st.columns([5, 3], gap="large")
    with form:
        field_faults = FieldFaults("transfer")
        asked = transfer_form.form(usable, field_faults)
    with complaints:
        shell.complain()
    values = {"show": "transfer", **address.held(transfer_form.ADDRESS), "into": asked.into}
    frame.share(values, form=TRANSFER.name)
    with cost:
        job_form.finish(frame, TRANSFER, asked, field_faults, transfer_form.cost)
    job_watch.all_jobs(TRANSFER)


def _figures(job: Job[TransferRequest, TransferStatus], status: TransferStatus) -> None:
    if status.table is not None:
        transfer_results.show(status.table)


def _under(request: TransferRequest) -> str:
    draws = f"{request.draws} random draw{'' if request.draws == 1 else 's'}"
    return f"{request.tokens:,} held-out tokens, {draws}, seed {request.seed}"


def _files(job: Job[TransferRequest, TransferStatus]) -> shell.Files:
    csvs = {"Table (CSV)": ("", transfer_results.csv)}
    return job_watch.table_files(job, job.status.table, f"transfer-{job.id}", csvs, web_page)


VIEW = job_watch.View(TRANSFER, _under, _figures, _files, ("k", "cells"))
