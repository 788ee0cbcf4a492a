"""A training as it happens: progress, curves, the atoms coming in, as VIEW for job_watch."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

from itda_core.figures import charts as figures_charts
from itda_core.runs.identities import beginning
from itda_core.runs.jobs.jobs import Job
from itda_core.runs.jobs.kinds import TRAINING
from itda_core.runs.layers import format_layers
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.results_now import results_now
from itda_core.runs.training.status import LayerStatus, TrainingStatus
from itda_core.runs.units import duration
from pages.ui.components.charts import chart_config
from pages.ui.components.label_list import label_list
from pages.ui.components.plain_text import notice
from pages.ui.components.printable import escaped
from pages.ui.frame import meaning, navigation, shell
from pages.ui.jobs import job_watch
from pages.ui.train import further as train_further


def _figures(_: Job[TrainRequest, TrainingStatus], status: TrainingStatus) -> None:
    _changed(status)
    _numbers(status)
    if status.layers:
        _curves(status)
        _latest(status)


def _leads_to(job: Job[TrainRequest, TrainingStatus], status: TrainingStatus) -> None:
    results = status.results
    for result, now in zip(results, results_now(results), strict=True):
        label = "Decompose with it" if len(results) == 1 else f"Decompose with layer {result.layer}"
        if now.entry is not None:
            there = {"dictionary": now.entry.name, meaning.ID: beginning(now.identity)}
            navigation.link("Decompose", there, label=f"**{label}**")
    train_further.link(job.id)


def _changed(status: TrainingStatus) -> None:
    """What became of its dictionaries where they are not called as they were, or are not there any more."""
    if status.state == "done":
        sentences = [now.change for now in results_now(status.results) if now.change]
        if sentences:
            notice("\n".join(sentences), key="train.changed")


def _numbers(status: TrainingStatus) -> None:
    metric = partial(st.container(horizontal=True).metric, border=True, height="stretch")
    metric("Tokens per second", f"{status.tokens_per_second:,.0f}" if status.tokens else "–")
    if status.ended:
        metric("Took", duration(status.seconds))
    else:
        metric("Time left", "–" if status.eta is None else duration(status.eta))
    metric(
        "Atoms",
        f"{sum(layer.atoms for layer in status.layers):,}" if status.layers else "–",
        expected_atoms(status),
        delta_color="off",
        delta_arrow="off",
        help="Of all layers; below it how many there will be in the end, going by how they came in so far.",
    )
    mean = sum(layer.relative_error for layer in status.layers) / len(status.layers) if status.layers else None
    metric(
        "Relative error",
        "–" if mean is None else f"{mean:.3f}",
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
            figures_charts.curves(status.series_tokens, lines, y_title="atoms"),
            key="train.curve.atoms",
            config=chart_config("atoms-over-tokens"),
        )
    with right:
        st.markdown("**Relative error** over tokens read")
        lines = {name: layer.series_relative_error for name, layer in zip(names, status.layers, strict=True)}
        st.plotly_chart(
            figures_charts.curves(status.series_tokens, lines, y_title="relative error", decimals=4),
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
    """What a layer is called on the page."""
    return layer.site if layer.layer is None else f"layer {layer.layer}"


def _title(job: Job[TrainRequest, TrainingStatus]) -> str:
    return job.request.model.name


def _under(request: TrainRequest) -> str:
    if request.layers is None:
        layers = "all layers"
    else:
        layers = f"layer{'' if len(request.layers) == 1 else 's'} {format_layers(request.layers)}"
    return f"{request.site}, {layers}, on {Path(request.corpus).name}"


def _files(job: Job[TrainRequest, TrainingStatus]) -> shell.Files:
    return {"JSON": (f"training-{job.id}.json", "application/json", lambda: job_watch.everything(job))}


VIEW = job_watch.View(TRAINING, _under, _figures, _files, title=_title, leads_to=_leads_to)
