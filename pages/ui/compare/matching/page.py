"""Measures of similarity side by side: a new layer-matching study, and those there have been."""

from __future__ import annotations

import streamlit as st

from itda_core.comparison.measures.table import TABLE
from itda_core.runs.jobs.jobs import Job
from itda_core.runs.jobs.kinds import MATCHING
from itda_core.runs.matching.request import MatchRequest
from itda_core.runs.matching.run import similarities_csv
from itda_core.runs.matching.status import MatchStatus
from pages.ui.compare.matching import form as matching_form
from pages.ui.compare.matching import results as matching_results
from pages.ui.compare.matching.web_page import web_page
from pages.ui.components.printable import visible
from pages.ui.forms import job_form
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.frame import address, shell
from pages.ui.jobs import job_watch

_MEASURES = ", ".join(measure.title for measure in TABLE)


def page(frame: shell.Shell) -> None:
    """Draw a new study of layer matching, and those there have been."""
    st.caption(
        f"The layers of several models compared on the same tokens by each measure ({_MEASURES}), and how often each "
        "finds the same layer of another model."
    )
    complaints = st.container()
    form, cost = st.columns([5, 3], gap="large")
    with form:
        field_faults = FieldFaults("match")
        asked = matching_form.form(frame.entries, field_faults)
    with complaints:
        shell.complain()
    frame.share({"show": "measures", **address.held(matching_form.ADDRESS)}, form=MATCHING.name)
    with cost:
        job_form.finish(frame, MATCHING, asked, field_faults, matching_form.cost)
    job_watch.all_jobs(MATCHING)


def _figures(job: Job[MatchRequest, MatchStatus], status: MatchStatus) -> None:
    if status.table is not None:
        matching_results.show(status.table)
    elif not status.ended and status.step:
        st.text(visible(status.step))  # it may name a model


def _under(request: MatchRequest) -> str:
    return f"{request.config.tokens or 0:,} tokens, {len(request.measures)} measures"


def _files(job: Job[MatchRequest, MatchStatus]) -> shell.Files:
    csvs = {
        "Table (CSV)": ("", matching_results.csv),
        "Every similarity (CSV)": ("-similarities", similarities_csv),
    }
    return job_watch.table_files(job, job.status.table, f"layer-matching-{job.id}", csvs, web_page)


VIEW = job_watch.View(MATCHING, _under, _figures, _files, ("cells",))
