"""An evaluation as it happens: progress, the figures as they stand; and the list of all evaluations."""

from __future__ import annotations

import json
import time

import streamlit as st

from itda_core.analysis.evaluate import Evaluation
from itda_core.errors import UserError
from itda_core.runs.evaluate_request import EvaluateRequest
from itda_core.runs.evaluation_status import EvaluationStatus
from itda_core.runs.job_kinds import EVALUATION
from itda_core.runs.jobs import Job, Jobs
from pages.ui import evaluation_results, job_watch, shell
from pages.ui.heading import heading
from pages.ui.job_words import subject
from pages.ui.notice import notice, problem
from pages.ui.wording import moment

_DRAWN = "evaluate.drawn"
_SECONDS_BETWEEN_CHARTS = 5.0


def one_job(frame: shell.Shell, id: str) -> None:
    """The job `id`, drawn again every second as long as it runs."""
    try:
        job = Jobs().get(id, EVALUATION)
        status = job.status
        request = job.request
    except UserError as error:
        problem(error, key="evaluate.job.problem")
        st.page_link("pages/evaluate.py", label="Start a new evaluation", icon=":material/add:")
        all_jobs()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch"):
            text = "their own text" if request.corpus is None else request.corpus
            heading(subject(job), under=f"on {text}, started {moment(job.created)}", key="evaluate.job.name")
        st.page_link("pages/evaluate.py", label="New evaluation", icon=":material/add:")
    st.fragment(_job, run_every=None if status.ended else job_watch.SECONDS)(id, status.ended)
    job_watch.settings_and_log(job)
    frame.export(
        {
            "Figures (CSV)": (f"evaluation-{id}.csv", "text/csv", lambda: evaluation_results.csv(job.status.results)),
            "Figures (JSON)": (f"evaluation-{id}.json", "application/json", lambda: _figures_json(job)),
            "All of it (JSON)": (f"evaluation-{id}-all.json", "application/json", lambda: _all_json(job)),
        }
    )


def _figures_json(job: Job[EvaluateRequest, EvaluationStatus]) -> str:
    """What `itda evaluate --json` prints."""
    return json.dumps({"results": job.status.to_dict()["results"]}, indent=2, ensure_ascii=False)


def _all_json(job: Job[EvaluateRequest, EvaluationStatus]) -> str:
    return json.dumps({"request": job.request.to_dict(), "status": job.status.to_dict()}, indent=2, ensure_ascii=False)


def _job(id: str, ended_before: bool) -> None:
    try:
        job = Jobs().get(id, EVALUATION)
        status = job.status
    except UserError as error:
        problem(error, key="evaluate.job.problem")
        return
    if status.ended != ended_before:
        st.rerun()
    job_watch.standing(job, status)
    if not status.results:
        return
    _what_text(status)
    if not status.ended:
        st.caption("The figures so far: each over the tokens in its row. They settle as more text is read.")
    elif status.state != "done":
        st.caption("It ended early: each figure is over the tokens in its row.")
    elif {result.text for result in status.results} == {"held-out"}:
        st.caption("All figures are of text that none of these dictionaries was built from.")
    evaluation_results.charts(_drawn(id, status))
    evaluation_results.table(status.results)


def _drawn(id: str, status: EvaluationStatus) -> tuple[Evaluation, ...]:
    """The results that charts show: while it runs those of a few seconds ago, for each redrawing is a flicker."""
    last, at, results = st.session_state.get(_DRAWN, ("", 0.0, ()))
    if last != id or status.ended or time.monotonic() - at >= _SECONDS_BETWEEN_CHARTS:
        results = status.results
        st.session_state[_DRAWN] = (id, time.monotonic(), results)
    return results


def _what_text(status: EvaluationStatus) -> None:
    """What the text was to the dictionaries: the first thing to know of a figure."""
    kinds = {result.text for result in status.results}
    if "training" in kinds:
        notice(
            "Some figures are of text that the dictionary was built from, and flatter it (text: training).",
            step="Measure on another text, or on a longer one.",
            kind="warning",
            key="evaluate.text.training",
        )
    if "other corpus" in kinds:
        notice(
            "Some figures are of another text than the dictionary was built on; whether the two share passages cannot "
            "be told (text: other corpus).",
            key="evaluate.text.other",
        )


def all_jobs() -> None:
    """Every evaluation, newest first."""
    jobs = Jobs().list(EVALUATION)
    if jobs:
        st.subheader("Evaluations", anchor=False)
        job_watch.listed(jobs)
