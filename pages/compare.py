"""Compare: which places in a text dictionaries of different models share, and what is behind every figure."""

import streamlit as st

from pages.ui import compare_job, compare_labels, compare_training, compare_transfer, compare_views, match_page, shell

frame = shell.page("Compare")
job_id = st.query_params.get("job")

if job_id is not None:
    compare_job.page(frame, job_id)
    st.stop()

view = compare_views.choose()
if view == "measures":
    match_page.page(frame)
elif view == "training":
    compare_training.page(frame)
elif view == "transfer":
    compare_transfer.page(frame)
else:
    compare_labels.page(frame)
