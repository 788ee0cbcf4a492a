"""The running jobs in the sidebar: how far they are, wherever one is in the studio."""

from __future__ import annotations

import streamlit as st

from itda_core.runs.jobs.jobs import Job, Jobs
from pages.ui.components.moments import progress_line
from pages.ui.components.printable import visible
from pages.ui.frame import navigation

SECONDS = 2.0
_LOOKED_AT = 8
_LONGEST = 56  # characters of what a job is about


def running() -> list[Job]:
    """Jobs that have not ended, newest first. Only the newest few are looked at: older ones ended long ago."""
    return [job for job in Jobs().list(most=_LOOKED_AT) if not job.status.ended]


def draw() -> None:
    """One line per running job, looked at again every few seconds as long as there is one; what is damaged is said."""
    ids, damaged = tuple(job.id for job in running()), len(Jobs().damaged())
    if ids or damaged:
        st.divider()
    if ids:
        st.fragment(_lines, run_every=SECONDS)(ids)
    if damaged:
        st.caption("A job is damaged." if damaged == 1 else f"{damaged} jobs are damaged.")
        navigation.way("Home", "See the list of jobs", ":material/warning:", {}, key="watch.damaged")


def _lines(ids: tuple[str, ...]) -> None:
    jobs = running()
    for job in jobs:
        status = job.status
        st.caption("Stopping…" if job.cancelling else job.kind.doing)
        st.text(
            _cut(getattr(job.request, "name", None) or job.request.about())
        )  # it may quote anyone's text, so nothing is parsed
        st.progress(status.fraction or 0.0, text=progress_line(status))
        navigation.way(job.kind.page, "Watch", ":material/monitoring:", {"job": job.id}, key=f"watch.{job.id}")
    if {job.id for job in jobs} != set(ids):
        st.rerun()


def _cut(text: str) -> str:
    """`text` as it fits into two lines of the sidebar."""
    return visible(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
