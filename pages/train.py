"""Train: what a dictionary is grown from, what that costs, and the run itself as it happens."""

import streamlit as st

from itda_core.errors import UserError
from pages.ui import shell
from pages.ui import trainer as parts
from pages.ui import training_watch as watch
from pages.ui.notice import problem

frame = shell.page("Train")
shell.complain()
job_id = st.query_params.get("job")

if job_id is not None:
    frame.share({"job": job_id})
    watch.one_job(frame, job_id)
    st.stop()

frame.share({})
form, cost = st.columns([5, 3], gap="large")
with form:
    asked = parts.form(frame.entries)
with cost, st.container(border=True):
    try:
        request = asked.request()
        parts.cost(request)
        frame.export(parts.exports(request))
    except UserError as error:
        problem(error, key="train.problem")
    else:
        parts.start(request)
watch.all_jobs()
