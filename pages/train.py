"""Train: what a dictionary is grown from, what that costs, and the run itself as it happens."""

import streamlit as st

from pages.ui import further_form, job_form, job_watch, shell, training_cost
from pages.ui import trainer as parts
from pages.ui.training_watch import VIEW

frame = shell.page("Train")
shell.complain()
job_id = st.query_params.get("job")
from_run = st.query_params.get(further_form.ADDRESS)

if job_id is not None:
    job_watch.one_job(frame, job_id, VIEW)
    st.stop()

if from_run is not None:
    further_form.page(frame, from_run)
    st.stop()

frame.share({})
form, cost = st.columns([5, 3], gap="large")
with form:
    asked = parts.form(frame.entries)
with cost:
    job_form.finish(frame, asked, training_cost.cost, key="train.problem")
job_watch.all_jobs(VIEW.kind)
