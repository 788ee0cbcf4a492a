"""Compare: which places in a text dictionaries of different models share, and what is behind every figure."""

import streamlit as st

from itda_core.runs.jobs.kinds import MATCHING
from pages.ui.compare import labels as compare_labels
from pages.ui.compare import over_training as compare_over_training
from pages.ui.compare.matching import page as matching_page
from pages.ui.compare.transfer import page as transfer_page
from pages.ui.frame import address, shell
from pages.ui.frame.address import kept_choice
from pages.ui.jobs import job_watch
from pages.ui.jobs.views import view_of_job

VIEWS = {
    "labels": "Labels (Jaccard)",
    "measures": "Measures side by side",
    "transfer": "Transfer",
    "training": "Over training",
}
frame = shell.page("Compare")
job_id = address.query.get("job")

if job_id is not None:
    shell.complain()
    job_watch.one_job(frame, job_id, view_of_job(job_id, MATCHING))
    st.stop()

view = kept_choice("What to compare by", "show", VIEWS, key="compare.show")
if view == "measures":
    matching_page.page(frame)
elif view == "training":
    compare_over_training.page(frame)
elif view == "transfer":
    transfer_page.page(frame)
else:
    compare_labels.page(frame)
