"""An evaluation as it happens: progress, the figures as they stand; as VIEW for job_watch."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import streamlit as st

from itda_core.analysis.evaluate import Evaluation
from itda_core.files.without_paths import without_paths
from itda_core.files.writing import finite
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.evaluation.status import EvaluationStatus
from itda_core.runs.identities import change_of
from itda_core.runs.jobs.jobs import Job
from itda_core.runs.jobs.kinds import EVALUATION
from pages.ui.components.plain_text import notice
from pages.ui.components.printable import visible
from pages.ui.evaluate import results as evaluate_results
from pages.ui.evaluate import web_page
from pages.ui.evaluate.label_honesty import label_honesty, measured
from pages.ui.frame import shell
from pages.ui.jobs import job_watch

_DRAWN = "evaluate.drawn"
_SECONDS_BETWEEN_CHARTS = 5.0


def _figures(job: Job[EvaluateRequest, EvaluationStatus], status: EvaluationStatus) -> None:
    if not status.results:
        return
    _what_text(status)
    _changed(status)
    if not status.ended:
        st.caption("The figures so far: each over the tokens in its row. They settle as more text is read.")
    elif status.state != "done":
        st.caption("It ended early: each figure is over the tokens in its row.")
    elif {result.text for result in status.results} == {"held-out"}:
        st.caption("The figures of each dictionary are of text that it was not built from.")
    evaluate_results.charts(_drawn(job.id, status))
    evaluate_results.table(status.results)
    if status.ended:
        label_honesty(status.results)


def _drawn(id: str, status: EvaluationStatus) -> tuple[Evaluation, ...]:
    """The results that charts show: while it runs those of a few seconds ago, for each redrawing is a flicker."""
    last, at, results = st.session_state.get(_DRAWN, ("", 0.0, ()))
    if last != id or status.ended or time.monotonic() - at >= _SECONDS_BETWEEN_CHARTS:
        results = status.results
        st.session_state[_DRAWN] = (id, time.monotonic(), results)
    return results


def _changed(status: EvaluationStatus) -> None:
    """What became of its dictionaries: the figures are of those that were called so when they were measured."""
    measured = {result.identity: Path(result.dictionary) for result in status.results if result.identity is not None}
    sentences = [change_of(path, identity) for identity, path in measured.items()]
    if any(sentences):
        step = "The figures are of what was called so when it was measured."
        notice("\n".join(filter(None, sentences)), step=step, key="evaluate.changed")


def _what_text(status: EvaluationStatus) -> None:
    """What the text was to the dictionaries: the first thing to know of a figure."""
    kinds = {result.text for result in status.results}
    if "training" in kinds:
        notice(
            "Some figures are measured on text that the dictionary was built from; they look better than on other text "
            "(text: training).",
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


def _under(request: EvaluateRequest) -> str:
    return f"on {'their own text' if request.corpus is None else request.corpus}"


def _files(job: Job[EvaluateRequest, EvaluationStatus]) -> shell.Files:
    name = f"evaluation-{job.id}"
    return {
        "Figures (CSV)": (f"{name}.csv", "text/csv", lambda: _csv(job)),
        "Web page (works offline)": (f"{name}.html", "text/html", lambda: _page(job)),
        "Figures (JSON)": (f"{name}.json", "application/json", lambda: _figures_json(job)),
        "All of it (JSON)": (f"{name}-all.json", "application/json", lambda: job_watch.everything(job)),
    }


def _page(job: Job[EvaluateRequest, EvaluationStatus]) -> str:
    title = f"Evaluation of {visible(job_watch.subject(job))}"
    honest, _ = measured(job.status.results)
    return without_paths(web_page.web_page(job.status, honest, title=title, under=f"Measured {_under(job.request)}."))


def _csv(job: Job[EvaluateRequest, EvaluationStatus]) -> str:
    honest, _ = measured(job.status.results)
    return without_paths(evaluate_results.csv(job.status.results, honest))


def _figures_json(job: Job[EvaluateRequest, EvaluationStatus]) -> str:
    """What `itda evaluate --json` prints, dictionaries by their names; beside it what `itda atoms honesty --json` says
    of those whose labels were measured.
    """
    results = without_paths(job.status.to_dict()["results"])
    honest, _ = measured(job.status.results)
    known = {"honesty": {name: asdict(one) for name, one in honest.items()}} if honest else {}
    return json.dumps(finite({"results": results, **known}), indent=2, ensure_ascii=False)


VIEW = job_watch.View(EVALUATION, _under, _figures, _files)
