"""A training as it happens: progress, curves, the atoms coming in; and the list of all trainings."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from itda_core import figures
from itda_core.errors import UserError
from itda_core.runs.job_status import JobStatus, LayerStatus
from itda_core.runs.jobs import Job, Jobs
from itda_core.runs.layers import format_layers
from pages.ui import shell
from pages.ui.charts import chart_config
from pages.ui.heading import heading
from pages.ui.label_list import label_list
from pages.ui.notice import notice, problem
from pages.ui.visible import escaped
from pages.ui.wording import duration, moment, progress_line

_SECONDS = 1.0
_WORDS = {
    "starting": "Starting",
    "running": "Running",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "lost": "Lost",
}


def one_job(frame: shell.Shell, id: str) -> None:
    """The job `id`, drawn again every second as long as it runs."""
    try:
        job = Jobs().get(id)
        status = job.status
        request = job.request
    except UserError as error:
        problem(error, key="train.job.problem")
        st.page_link("pages/train.py", label="Start a new training", icon=":material/add:")
        all_jobs()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch"):
            layers = "all layers" if request.layers is None else f"layers {format_layers(request.layers)}"
            under = f"{request.site}, {layers}, on {Path(request.corpus).name}, started {moment(job.created)}"
            heading(request.model.name, under=under, key="train.job.name")
        st.page_link("pages/train.py", label="New training", icon=":material/add:")
    st.fragment(_job, run_every=None if status.ended else _SECONDS)(id, status.ended)
    with st.expander("Settings and log", icon=":material/terminal:"):
        st.code(request.command(), language="bash", wrap_lines=True)
        st.code(job.log or "Nothing was written yet.", language=None, wrap_lines=True, height=240)
    frame.export({"JSON": (f"training-{id}.json", "application/json", lambda: _status_json(job))})


def _status_json(job: Job) -> str:
    import json

    return json.dumps({"request": job.request.to_dict(), "status": job.status.to_dict()}, indent=2, ensure_ascii=False)


def _job(id: str, ended_before: bool) -> None:
    try:
        job = Jobs().get(id)
        status = job.status
    except UserError as error:
        problem(error, key="train.job.problem")
        return
    if status.ended != ended_before:
        st.rerun()
    _state(job, status)
    _numbers(status)
    if status.layers:
        _curves(status)
        _latest(status)


def _state(job: Job, status: JobStatus) -> None:
    stopping = job.cancelling and not status.ended
    word = "Stopping…" if stopping else _WORDS[status.state]
    fraction = 1.0 if status.state == "done" else status.fraction or 0.0
    st.progress(fraction, text=f"**{word}** · {progress_line(status)}")
    for number, note in enumerate(status.notes):
        notice(note, key=f"train.note.{number}")
    if status.error:
        problem(UserError(status.error), key="train.job.error")
    with st.container(horizontal=True):
        if not status.ended:
            if st.button("Cancel", icon=":material/stop:", disabled=stopping, key="train.cancel"):
                job.cancel()
                st.rerun(scope="fragment")
            return
        if status.state == "done":
            for result in status.results:
                name = Path(result.path).name
                label = "Decompose with it" if len(status.results) == 1 else f"Decompose with layer {result.layer}"
                file, _, icon = shell.PAGES["Decompose"]
                st.page_link(file, label=f"**{label}**", icon=icon, query_params={"dictionary": name})
        elif st.button("Resume", type="primary", icon=":material/play_arrow:", key="train.resume"):
            try:
                job.resume()
            except UserError as error:
                problem(error, key="train.resume.problem")
            else:
                st.rerun()
        if st.button("Remove from the list", icon=":material/delete:", key="train.remove"):
            try:
                job.remove()
            except UserError as error:
                problem(error, key="train.remove.problem")
            else:
                shell.open_page("Train", {"dictionary": st.query_params.get("dictionary")})


def _numbers(status: JobStatus) -> None:
    speed, left, atoms, error = st.columns(4)
    speed.metric("Tokens per second", f"{status.tokens_per_second:,.0f}" if status.tokens else "–", border=True)
    if status.ended:
        left.metric("Took", duration(status.seconds), border=True)
    else:
        left.metric("Time left", "–" if status.eta is None else duration(status.eta), border=True)
    atoms.metric("Atoms", f"{sum(layer.atoms for layer in status.layers):,}" if status.layers else "–", border=True)
    mean = sum(layer.relative_error for layer in status.layers) / len(status.layers) if status.layers else None
    error.metric(
        "Relative error",
        "–" if mean is None else f"{mean:.3f}",
        border=True,
        help="Of the last few thousand tokens, each judged before it could become an atom; the mean of the layers.",
    )


def _curves(status: JobStatus) -> None:
    left, right = st.columns(2)
    names = [layer_name(layer) for layer in status.layers]
    with left:
        st.markdown("**Atoms** over tokens read")
        lines = {name: layer.series_atoms for name, layer in zip(names, status.layers, strict=True)}
        st.plotly_chart(
            figures.curves(status.series_tokens, lines, y_title="atoms"),
            key="train.curve.atoms",
            config=chart_config("atoms-over-tokens"),
        )
    with right:
        st.markdown("**Relative error** over tokens read")
        lines = {name: layer.series_relative_error for name, layer in zip(names, status.layers, strict=True)}
        st.plotly_chart(
            figures.curves(status.series_tokens, lines, y_title="relative error", decimals=4),
            key="train.curve.error",
            config=chart_config("error-over-tokens"),
        )


def _latest(status: JobStatus) -> None:
    st.markdown("**Last atoms accepted**" if not status.ended else "**The last atoms that came in**")
    layer = status.layers[0]
    if len(status.layers) > 1:
        number = st.segmented_control(
            "Layer",
            range(len(status.layers)),
            default=0,
            required=True,
            format_func=lambda i: escaped(layer_name(status.layers[i])),
            key="train.latest.layer",
            label_visibility="collapsed",
        )
        layer = status.layers[number or 0]
    label_list(tuple(reversed(layer.latest)), empty="None in the last batch.", key="train.latest")


def layer_name(layer: LayerStatus) -> str:
    return layer.site if layer.layer is None else f"layer {layer.layer}"


def all_jobs() -> None:
    """Every training, newest first."""
    jobs = Jobs().list()
    if not jobs:
        return
    st.subheader("Trainings", anchor=False)
    for job in jobs[:20]:
        status = job.status
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.text(f"{moment(job.created)}   {_what(job)}", width="stretch")
            st.caption(f"{_WORDS[status.state]} · {progress_line(status)}")
            st.page_link("pages/train.py", label="Open", icon=":material/monitoring:", query_params={"job": job.id})


def _what(job: Job) -> str:
    try:
        return f"{job.request.model.name}, {Path(job.request.corpus).name}"
    except UserError:
        return "settings that cannot be read"
