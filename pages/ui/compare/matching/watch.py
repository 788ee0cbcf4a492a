"""A layer-matching study as it happens, and what it found; as VIEW for job_watch."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from itda_core.runs.jobs.jobs import Job
from itda_core.runs.jobs.kinds import MATCHING
from itda_core.runs.matching.request import MatchRequest
from itda_core.runs.matching.run import similarities_csv
from itda_core.runs.matching.status import MatchStatus
from pages.ui.compare.matching import results as matching_results
from pages.ui.components.printable import visible
from pages.ui.jobs import job_watch
from pages.ui.jobs.job_words import subject


def _figures(job: Job[MatchRequest, MatchStatus], status: MatchStatus) -> None:
    if status.table is not None:
        matching_results.show(status.table)
    elif not status.ended and status.step:
        st.text(visible(status.step))  # it may name a model


def _under(request: MatchRequest) -> str:
    return f"{request.config.tokens or 0:,} tokens, {len(request.measures)} measures"


def _files(
    job: Job[MatchRequest, MatchStatus],
) -> dict[str, tuple[str, str, Callable[[], bytes | str]]]:
    csvs = {
        "Table (CSV)": ("", matching_results.csv),
        "Every similarity (CSV)": ("-similarities", similarities_csv),
    }
    return job_watch.table_files(job, job.status.table, f"layer-matching-{job.id}", csvs)


VIEW = job_watch.View(MATCHING, subject, _under, _figures, lambda job, status: None, _files, ("cells",))
