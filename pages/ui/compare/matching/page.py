"""Measures of similarity side by side: a new layer-matching study, and those there have been."""

from __future__ import annotations

import streamlit as st

from itda_core.comparison.measures.table import TABLE
from itda_core.runs.jobs.kinds import MATCHING
from pages.ui.compare.matching import form as matching_form
from pages.ui.forms import job_form
from pages.ui.frame import shell
from pages.ui.jobs import job_watch

_MEASURES = ", ".join(measure.title for measure in TABLE)


def page(frame: shell.Shell) -> None:
    """Draw a new study of layer matching, and those there have been."""
    st.caption(
        f"The layers of several models compared on the same tokens by each measure ({_MEASURES}), and how often each "
        "finds a layer's like in another model."
    )
    form, cost = st.columns([5, 3], gap="large")
    with form:
        asked = matching_form.form(frame.entries)
    shell.complain()
    frame.share({"show": "measures", **{name: st.query_params.get(name) for name in matching_form.ADDRESS}})
    with cost:
        job_form.finish(frame, asked, matching_form.cost, key="match.problem")
    job_watch.all_jobs(MATCHING)
