"""Evaluate: what dictionaries miss of text they were not built from, and what that costs the model."""

import streamlit as st

from pages.ui.evaluate import form as parts
from pages.ui.evaluate.watch import VIEW
from pages.ui.forms import job_form
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.frame import address, shell
from pages.ui.jobs import job_watch

frame = shell.page("Evaluate")
job_id = address.query.get("job")

if job_id is not None:
    shell.complain()
    job_watch.one_job(frame, job_id, VIEW)
    st.stop()

complaints = st.container()
form, cost = st.columns([5, 3], gap="large")
with form:
    field_faults = FieldFaults("evaluate")
    asked = parts.form(frame, field_faults)
with complaints:
    shell.complain()
frame.share(parts.permalink(frame, asked), form=VIEW.kind.name)
with cost:
    job_form.finish(frame, VIEW.kind, asked, field_faults, parts.cost)
job_watch.all_jobs(VIEW.kind)
