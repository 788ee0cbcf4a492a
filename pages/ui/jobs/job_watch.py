"""What all jobs have in common on their pages: how far they are, their buttons, and the list of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import streamlit as st

from itda_core.errors import UserError
from itda_core.files import finite
from itda_core.files.without_paths import without_paths
from itda_core.runs.jobs.job_folder import DamagedJob
from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.jobs.kinds import JobKind, R, S
from itda_core.runs.jobs.status import JobStatus, Table
from itda_core.runs.training.status import TrainingStatus
from pages.ui.components.moments import moment, progress_line
from pages.ui.components.plain_text import heading, notice, problem
from pages.ui.components.printable import escaped, visible
from pages.ui.frame import address, navigation, shell

T = TypeVar("T", bound=Table)

STATES = {
    "starting": "Starting",
    "running": "Running",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "lost": "Lost",
    "damaged": "Damaged",
}
_SECONDS = 1.0  # between two looks at a running job
_MOST_LISTED = 20


def standing_line(job: Job, status: JobStatus) -> str:
    """How a job stands: what it is doing or how it has ended, and how far it is."""
    line = progress_line(status)
    if not status.ended:
        named = isinstance(status, TrainingStatus) or status.state == "starting" or not status.tokens
        return line if named else f"{job.kind.doing} · {line}"
    if status.state == "cancelled" and job.kind.continues and not status.begun:
        return f"{STATES[status.state]} before anything was done"
    return f"{STATES[status.state]} · {line}" if line else STATES[status.state]


def subject(job: Job) -> str:
    """What a job is about. It may quote anyone's text: only for elements that parse none."""
    return job.request.about()


def asked_words(job: Job) -> str:
    """What sets a job apart from others of its subject: name, selection of atoms, how much text; as Markdown."""
    config = getattr(job.request, "config", None)
    selection = getattr(config, "selection", "")
    tokens = getattr(config, "tokens", None) or getattr(job.request, "tokens", None)
    name = escaped(getattr(job.request, "name", None) or "")
    return " · ".join(filter(None, [name, selection, f"{tokens:,} tokens asked for" if tokens else ""]))


@dataclass(frozen=True)
class View(Generic[R, S]):
    """How jobs of one kind are shown."""

    kind: JobKind[R, S]
    under: Callable[[R], str]  # the line below its title, without when it was started
    figures: Callable[[Job[R, S], S], None]  # what it has found so far, below its progress
    files: Callable[[Job[R, S]], shell.Files]  # of the Export button
    address: tuple[str, ...] = ()  # what the figures' own choices are called there
    title: Callable[[Job[R, S]], str] = subject
    leads_to: Callable[[Job[R, S], S], None] = lambda job, status: None  # beside its buttons, once it has done its work


def one_job(frame: shell.Shell, id: str, view: View[R, S]) -> None:
    """The job `id`, drawn again every second as long as it runs; with the page's Share and Export."""
    name = view.kind.name
    try:
        job = Jobs().get(id, view.kind)
        status = job.status
    except UserError as error:
        problem(error, key=f"{name}.job.problem")
        frame.share({"job": id})
        new(view.kind)
        all_jobs(view.kind)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch"):
            under = f"{view.under(job.request)}, started {moment(job.created)}"
            heading(view.title(job), under=under, key=f"{name}.job.name")
        new(view.kind)
    if status.ended:  # no fragment: a choice among the figures is to be in the shared link as well
        _standing_and_figures(id, view, True)
    else:
        st.fragment(_standing_and_figures, run_every=_SECONDS)(id, view, False)
    settings_and_log(job)
    frame.share({"job": id, **address.held(view.address)})
    frame.export(view.files(job))


def new(kind: JobKind) -> None:
    """The way to the form, as it was last filled in."""
    there = navigation.filled(kind.name, kind.form)
    navigation.way(kind.page, f"New {kind.noun}", ":material/add:", there, key=f"{kind.name}.new")


def _standing_and_figures(id: str, view: View[R, S], ended_before: bool) -> None:
    try:
        job = Jobs().get(id, view.kind)
        status = job.status
    except UserError as error:
        problem(error, key=f"{view.kind.name}.job.problem")
        return
    if status.ended != ended_before:
        st.rerun()
    standing(job, status, finished=lambda: view.leads_to(job, status))
    view.figures(job, status)


def table_files(
    job: Job[R, S],
    table: T | None,
    name: str,
    csvs: Mapping[str, tuple[str, Callable[[T], str]]],
    page: Callable[[T], str] | None = None,
) -> shell.Files:
    """The files of the Export button for a job whose outcome is one table.

    name: what their names begin with; csvs: label -> (what the file's name goes on with, how it is made of the table);
    page: the table as a page that opens without network.
    """
    files: dict[str, tuple[str, str, Callable[[], str]]] = {}
    if table is not None:
        for label, (more, made) in csvs.items():
            files[label] = (f"{name}{more}.csv", "text/csv", partial(_made, made, table))
        if page is not None:
            files["Web page (works offline)"] = (f"{name}.html", "text/html", partial(_made, page, table))
        files["Figures (JSON)"] = (f"{name}.json", "application/json", partial(_table_json, table))
    files["All of it (JSON)"] = (f"{name}-all.json", "application/json", lambda: everything(job))
    return files


def _made(make: Callable[[T], str], table: T) -> str:
    return without_paths(make(table))


def _table_json(table: Table) -> str:
    return json.dumps(without_paths(finite(table.to_dict())), indent=2, ensure_ascii=False)


def everything(job: Job) -> str:
    """What was asked for and what came of it, as JSON; files and folders by their names alone."""
    asked_for = {"request": job.request.to_dict(), "identities": job.identities}
    return json.dumps(without_paths({**asked_for, "status": job.status.to_dict()}), indent=2, ensure_ascii=False)


def all_jobs(kind: JobKind) -> None:
    """Every job of a kind, newest first."""
    jobs, damaged = Jobs().list(kind, most=_MOST_LISTED), Jobs().damaged(kind)
    if jobs or damaged:
        st.subheader(f"{kind.noun}s".capitalize(), anchor=False)
        listed(jobs, damaged)


def standing(job: Job, status: JobStatus, *, finished: Callable[[], None]) -> None:
    """Progress, notes, what went wrong, and what can be done about it; `finished` adds what a finished job leads to.

    Drawn inside a fragment as long as it runs.
    """
    name = job.kind.name
    stopping = job.cancelling and not status.ended
    at, dot, rest = (f"Stopping… · {progress_line(status)}" if stopping else standing_line(job, status)).partition(
        " · "
    )
    st.progress(1.0 if status.state == "done" else status.fraction or 0.0, text=f"**{at}**{dot}{rest}")
    for number, note in enumerate(status.notes):
        notice(note, key=f"{name}.note.{number}")
    if status.error:
        problem(UserError(status.error), key=f"{name}.job.error")
    with st.container(horizontal=True, vertical_alignment="center"):
        if not status.ended:
            if st.button("Cancel", icon=":material/stop:", disabled=stopping, key=f"{name}.cancel"):
                job.cancel()
                st.rerun(scope="fragment")
            return
        if status.state == "done":
            finished()
        elif st.button(
            resumed_words(job, status),
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
                navigation.open_page(job.kind.page, navigation.filled(name, job.kind.form))


def resumed_words(job: Job, status: JobStatus) -> str:
    """What starting a job again is called: a kind that continues goes on, once there is something to go on from."""
    if not job.kind.continues:
        return "Start again"
    return "Resume" if status.begun else "Try again"


def settings_and_log(job: Job) -> None:
    """The same in a terminal, and what the worker wrote there."""
    with st.expander("Settings and log", icon=":material/terminal:"):
        st.code(job.command, language="bash", wrap_lines=True)
        st.code(job.log or "Nothing was written yet.", language=None, wrap_lines=True, height=240)


def listed(jobs: Sequence[Job], damaged: Sequence[DamagedJob] = ()) -> None:
    """One line per job: when, what about, how it stands, and a link to it; then the damaged ones, to be removed."""
    for job in jobs:
        status = job.status
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.text(f"{moment(job.created)}   {subject(job)}", width="stretch")
            if asked := asked_words(job):
                st.caption(asked)
            st.caption("Stopping…" if job.cancelling and not status.ended else standing_line(job, status))
            navigation.way(job.kind.page, "Open", ":material/monitoring:", {"job": job.id}, key=f"open.{job.id}")
    for broken in damaged[:_MOST_LISTED]:
        _damaged(broken)


def _damaged(job: DamagedJob) -> None:
    """Why a job cannot be shown, and a way to be rid of it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.text(visible(job.problem), width="stretch")
        st.caption(STATES["damaged"])
        removed = st.button("Remove", icon=":material/delete:", type="tertiary", key=f"damaged.remove.{job.id}")
    if removed:
        try:
            job.remove()
        except UserError as error:
            problem(error, key=f"damaged.problem.{job.id}")
        else:
            st.rerun()
