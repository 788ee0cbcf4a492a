"""Train: what a dictionary is grown from, what that costs, and the run itself as it happens."""

import streamlit as st

from pages.ui.forms import job_form
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.frame import address, shell
from pages.ui.jobs import job_watch
from pages.ui.train import cost as train_cost
from pages.ui.train import form as parts
from pages.ui.train import further as train_further
from pages.ui.train.watch import VIEW

frame = shell.page("Train")
job_id = address.query.get("job")
from_run = address.query.get(train_further.ADDRESS)

if job_id is not None:
    shell.complain()
    job_watch.one_job(frame, job_id, VIEW)
    st.stop()

if from_run is not None:
    train_further.page(frame, from_run)
    st.stop()

complaints = st.container()
form, cost = st.columns([5, 3], gap="large")
with form:
    field_faults = FieldFaults("train")
    asked = parts.form(frame, field_faults)
with complaints:
    shell.complain()
with cost:
    job_form.finish(frame, VIEW.kind, asked, field_faults, train_cost.new_cost)
job_watch.all_jobs(VIEW.kind)
