"""What all jobs have in common on their pages: how far they are, their buttons, and the list of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from itda_core.errors import UserError
from itda_core.runs.job_status import JobStatus
from itda_core.runs.jobs import Job
from pages.ui import shell
from pages.ui.job_words import FILES, PAGES, STATES, subject
from pages.ui.notice import notice, problem
from pages.ui.wording import moment, progress_line

SECONDS = 1.0  # between two looks at a running job
_MOST_LISTED = 20


def standing(job: Job, status: JobStatus, *, finished: Callable[[], None] = lambda: None) -> None:
    """Progress, notes, what went wrong, and what can be done about it; `finished` adds what a finished job leads to.

    Drawn inside a fragment.
    """
    name = job.kind.name
    stopping = job.cancelling and not status.ended
    word = "Stopping…" if stopping else STATES[status.state]
    fraction = 1.0 if status.state == "done" else status.fraction or 0.0
    st.progress(fraction, text=f"**{word}** · {progress_line(status)}")
    for number, note in enumerate(status.notes):
        notice(note, key=f"{name}.note.{number}")
    if status.error:
        problem(UserError(status.error), key=f"{name}.job.error")
    with st.container(horizontal=True):
        if not status.ended:
            if st.button("Cancel", icon=":material/stop:", disabled=stopping, key=f"{name}.cancel"):
                job.cancel()
                st.rerun(scope="fragment")
            return
        if status.state == "done":
            finished()
        elif st.button(
            "Resume" if job.kind.continues else "Start again",
            type="primary",
            icon=":material/play_arrow:",
            key=f"{name}.resume",
        ):
            try:
                job.resume()
            except UserError as error:
                problem(error, key=f"{name}.resume.problem")
            else:
                st.rerun()
        if st.button("Remove from the list", icon=":material/delete:", key=f"{name}.remove"):
            try:
                job.remove()
            except UserError as error:
                problem(error, key=f"{name}.remove.problem")
            else:
                shell.open_page(PAGES[name], {"dictionary": st.query_params.get("dictionary")})


def settings_and_log(job: Job) -> None:
    """The same in a terminal, and what the worker wrote there."""
    with st.expander("Settings and log", icon=":material/terminal:"):
        st.code(job.request.command(), language="bash", wrap_lines=True)
        st.code(job.log or "Nothing was written yet.", language=None, wrap_lines=True, height=240)


def listed(jobs: Sequence[Job]) -> None:
    """One line per job: when, what about, how it stands, and a link to it."""
    for job in jobs[:_MOST_LISTED]:
        status = job.status
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.text(f"{moment(job.created)}   {subject(job)}", width="stretch")
            st.caption(f"{STATES[status.state]} · {progress_line(status)}")
            st.page_link(FILES[job.kind.name], label="Open", icon=":material/monitoring:", query_params={"job": job.id})
