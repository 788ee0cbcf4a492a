"""A training as it happens: progress, curves, the atoms coming in; and the list of all trainings."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from itda_core import figures
from itda_core.errors import UserError
from itda_core.runs.job_kinds import TRAINING
from itda_core.runs.jobs import Job, Jobs
from itda_core.runs.layers import format_layers
from itda_core.runs.request import TrainRequest
from itda_core.runs.training_status import LayerStatus, TrainingStatus
from pages.ui import job_watch, shell
from pages.ui.charts import chart_config
from pages.ui.heading import heading
from pages.ui.label_list import label_list
from pages.ui.notice import problem
from pages.ui.visible import escaped
from pages.ui.wording import duration, moment


def one_job(frame: shell.Shell, id: str) -> None:
    """The job `id`, drawn again every second as long as it runs."""
    try:
        job = Jobs().get(id, TRAINING)
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
    st.fragment(_job, run_every=None if status.ended else job_watch.SECONDS)(id, status.ended)
    job_watch.settings_and_log(job)
    frame.export({"JSON": (f"training-{id}.json", "application/json", lambda: _status_json(job))})


def _status_json(job: Job[TrainRequest, TrainingStatus]) -> str:
    import json

    return json.dumps({"request": job.request.to_dict(), "status": job.status.to_dict()}, indent=2, ensure_ascii=False)


def _job(id: str, ended_before: bool) -> None:
    try:
        job = Jobs().get(id, TRAINING)
        status = job.status
    except UserError as error:
        problem(error, key="train.job.problem")
        return
    if status.ended != ended_before:
        st.rerun()
    job_watch.standing(job, status, finished=lambda: _decompose_with_it(status))
    _numbers(status)
    if status.layers:
        _curves(status)
        _latest(status)


def _decompose_with_it(status: TrainingStatus) -> None:
    for result in status.results:
        name = Path(result.path).name
        label = "Decompose with it" if len(status.results) == 1 else f"Decompose with layer {result.layer}"
        file, _, icon = shell.PAGES["Decompose"]
        st.page_link(file, label=f"**{label}**", icon=icon, query_params={"dictionary": name})


def _numbers(status: TrainingStatus) -> None:
    speed, left, atoms, error = st.columns(4)
    speed.metric("Tokens per second", f"{status.tokens_per_second:,.0f}" if status.tokens else "–", border=True)
    if status.ended:
        left.metric("Took", duration(status.seconds), border=True)
    else:
        left.metric("Time left", "–" if status.eta is None else duration(status.eta), border=True)
    atoms.metric(
        "Atoms",
        f"{sum(layer.atoms for layer in status.layers):,}" if status.layers else "–",
        expected_atoms(status),
        delta_color="off",
        delta_arrow="off",
        border=True,
        help="Of all layers; below it how many there will be in the end, going by how they came in so far.",
    )
    mean = sum(layer.relative_error for layer in status.layers) / len(status.layers) if status.layers else None
    error.metric(
        "Relative error",
        "–" if mean is None else f"{mean:.3f}",
        border=True,
        help="Of the last few thousand tokens, each judged before it could become an atom; the mean of the layers.",
    )


def expected_atoms(status: TrainingStatus) -> str | None:
    """How many atoms there will be, where that can be told; attention sinks that were left out."""
    parts = []
    predicted = [layer.predicted_atoms for layer in status.layers]
    known = [number for number in predicted if number is not None]
    if known and len(known) == len(predicted) and not status.ended:
        parts.append(f"about {sum(known):,} in the end")
    if sinks := sum(layer.sinks for layer in status.layers):
        parts.append(f"{sinks:,} attention sinks left out")
    return " · ".join(parts) or None


def _curves(status: TrainingStatus) -> None:
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


def _latest(status: TrainingStatus) -> None:
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
    jobs = Jobs().list(TRAINING)
    if jobs:
        st.subheader("Trainings", anchor=False)
        job_watch.listed(jobs)
