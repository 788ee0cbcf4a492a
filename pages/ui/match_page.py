"""Measures of similarity side by side: a new layer-matching study, and those there have been."""

from __future__ import annotations

import streamlit as st

from itda_core.runs.job_kinds import MATCHING
from pages.ui import job_form, job_watch, match_form, shell


def page(frame: shell.Shell) -> None:
    st.caption(
        "The layers of several models compared on the same tokens by each measure: ITDA's dictionaries, linear CKA, "
        "SVCCA, relative representations, linear regression; and how often each finds a layer's like in another model."
    )
    form, cost = st.columns([5, 3], gap="large")
    with form:
        asked = match_form.form(frame.entries)
    shell.complain()
    frame.share({"show": "measures", **{name: st.query_params.get(name) for name in match_form.ADDRESS}})
    with cost:
        job_form.finish(frame, asked, match_form.cost, key="match.problem")
    job_watch.all_jobs(MATCHING)
