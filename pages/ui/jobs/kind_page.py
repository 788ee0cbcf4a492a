"""What the page of a kind of job shows that has no form of its own: a new one, and those there have been."""

from __future__ import annotations

from typing import Any

import streamlit as st

from itda_core.runs.jobs.kinds import JobKind
from pages.ui.forms import job_form, request_form
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.frame import shell
from pages.ui.jobs import job_watch


def page(frame: shell.Shell, kind: JobKind[Any, Any]) -> None:
    """Draw a new job of this kind, and those there have been."""
    complaints = st.container()
    form, cost = st.columns([5, 3], gap="large")
    with form:
        field_faults = FieldFaults(kind.name)
        asked = request_form.form(kind, field_faults)
    with complaints:
        shell.complain()
    frame.share({**kind.form, **request_form.in_address(kind)}, form=kind.name)
    with cost:
        job_form.finish(frame, kind, asked, field_faults, request_form.cost)
    job_watch.all_jobs(kind)
