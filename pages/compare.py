"""Compare: which places in a text dictionaries of different models share, and what is behind every figure."""

import streamlit as st

from pages.ui.compare import job as compare_job
from pages.ui.compare import labels as compare_labels
from pages.ui.compare import over_training as compare_over_training
from pages.ui.compare.matching import page as matching_page
from pages.ui.compare.transfer import page as transfer_page
from pages.ui.forms.address_choice import kept_choice
from pages.ui.frame import shell

VIEWS = {
    "labels": "Labels (Jaccard)",
    "measures": "Measures side by side",
    "transfer": "Transfer",
    "training": "Over training",
}
frame = shell.page("Compare")
job_id = st.query_params.get("job")

if job_id is not None:
    compare_job.page(frame, job_id)
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
