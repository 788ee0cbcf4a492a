"""Compare: which places in a text dictionaries of different models share, and what is behind every figure."""

import streamlit as st

from pages.ui import compare_labels, compare_training, compare_transfer, compare_views, job_watch, match_page, shell
from pages.ui.match_watch import VIEW

frame = shell.page("Compare")
job_id = st.query_params.get("job")

if job_id is not None:
    shell.complain()
    frame.share({"job": job_id, "cells": st.query_params.get("cells")})
    job_watch.one_job(frame, job_id, VIEW)
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
