"""A training as it happens: progress, curves, the atoms coming in, as VIEW for job_watch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from itda_core.analysis.centring import relative_error_words
from itda_core.dictionaries.growing.training_windows import WINDOWS_PER_BATCH
from itda_core.figures import charts as figures_charts
from itda_core.runs.identities import Whereabouts, beginning
from itda_core.runs.jobs.jobs import Job
from itda_core.runs.jobs.kinds import TRAINING
from itda_core.runs.layers import format_layers
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.results_now import held_out_fvu, results_now
from itda_core.runs.training.status import LayerStatus, TrainingStatus
from itda_core.runs.training.words import time_left_words
from itda_core.runs.units import duration
from pages.ui.components.charts import chart_config
from pages.ui.components.label_list import label_list
from pages.ui.components.plain_text import notice
from pages.ui.components.printable import escaped
from pages.ui.frame import meaning, navigation, shell
from pages.ui.jobs import job_watch
from pages.ui.train import further as train_further

_SPEED = (
    "All tokens over the time beside it. An estimate counts what is done once apart, and goes by the higher speed "
    "after that."
)
_TOOK = (
    "From the first token to the last atom, compiling included; not loading the model, and not the measuring after it."
)
_MOST_FVUS = 4  # figures beside each other; of more layers the library shows each


def _figures(job: Job[TrainRequest, TrainingStatus], status: TrainingStatus) -> None:
    sized = job.request.config.rule.sized
    now = results_now(status.results) if status.state == "done" else []
    if sentences := [one.change for one in now if one.change]:
        notice("\n".join(sentences), key="train.changed")
    _numbers(status, now, sized=sized, centred=job.request.config.centre)
    if status.layers and any(layer.atoms for layer in status.layers) and not sized:
        _curves(job.request, status)
    if sized:
        _rounds(status)
    if any(layer.latest for layer in status.layers):
        _latest(status, sized=sized)


def _leads_to(job: Job[TrainRequest, TrainingStatus], status: TrainingStatus) -> None:
    results = status.results
    for result, now in zip(results, results_now(results), strict=True):
        label = "Decompose with it" if len(results) == 1 else f"Decompose with layer {result.layer}"
        if now.entry is not None:
            there = {"dictionary": now.entry.name, meaning.ID: beginning(now.identity)}
            navigation.link("Decompose", there, label=f"**{label}**")
    train_further.link(job.id, job.request.config.selection)


def _numbers(status: TrainingStatus, now: Sequence[Whereabouts], *, sized: bool, centred: bool) -> None:
    """What is known in the stage that a training is at: a figure that is not known yet has no place.

    now: where the dictionaries of one that is done are.
    """
    row = st.container(horizontal=True)
    metric = partial(row.metric, delta_color="off", delta_arrow="off", border=True, height="stretch")
    if status.tokens and (status.ended or status.stage is None or status.stage.name == "reading"):
        metric("Tokens per second", f"{status.tokens_per_second:,.0f}", help=_SPEED if status.ended else None)
    if status.ended:
        metric("Took", duration(status.seconds), help=_TOOK)
    elif status.eta is not None and (left := time_left_words(status.eta, rough=status.rough)):
        about = "Of the whole training, as far as it is known."
        metric("Time left", left.removesuffix(" left"), help=about)
    if n_atoms := sum(layer.atoms for layer in status.layers):
        metric(
            "Atoms",
            f"{n_atoms:,}",
            expected_atoms(status),
            help="Of all layers; below it how many there will be in the end, going by how they came in so far.",
        )
    elif status.tokens and (sinks := expected_atoms(status)):
        metric("Tokens", f"{status.tokens:,}", sinks, help="Read so far.")
    if _held_out(metric, status, now):
        return  # the error while growing is of text that atoms were made of
    if (error := _error(status, sized=sized)) is not None:
        of = (
            "Of the activations that the last round of choosing looked at; in the end, the mean of the layers."
            if sized
            else "Of the last few thousand tokens, each judged before it could become an atom; the mean of the layers."
        )
        metric("Relative error", f"{error:.3f}", help=f"{of} It is the {relative_error_words(centred)}.")


def _held_out(metric: Callable[..., object], status: TrainingStatus, now: Sequence[Whereabouts]) -> bool:
    """The FVU of each dictionary in the library, or of many the least and the most; whether there was any to show."""
    known = {}
    for result, one in zip(status.results, now, strict=bool(now)):
        if (fvu := held_out_fvu(one)) is not None:
            known[_name(result.site, result.layer)] = fvu
    about = "Fraction of variance unexplained on text that the dictionary was not built from; Evaluate measures more."
    if len(known) > _MOST_FVUS:
        metric("FVU, held-out", f"{min(known.values()):.3f} to {max(known.values()):.3f}", help=about)
        return True
    for name, fvu in known.items():
        metric("FVU, held-out" if len(known) == 1 else f"FVU, {name}", f"{fvu:.3f}", help=about)
    return bool(known)


def _error(status: TrainingStatus, *, sized: bool) -> float | None:
    """The relative error of the layer whose atoms are being chosen, else the mean of the layers of which it is known;
    None where it is of none."""
    if sized and status.rounds:
        at = None if status.ended or status.stage is None else status.stage
        chosen = [layer for layer in status.rounds if layer.rounds and layer.rounds[-1] > 1]
        if at is not None and at.name in ("choosing", "labelling") and at.number:  # 0: all at once, on a cluster
            chosen = [layer for layer in chosen if layer.layer == at.layer]
        known = [layer.relative_error[-1] for layer in chosen]
    else:
        known = [layer.relative_error for layer in status.layers if layer.atoms]
    return sum(known) / len(known) if known else None


def expected_atoms(status: TrainingStatus) -> str | None:
    """How many atoms there will be, where that can be told; attention sinks that were left out."""
    parts = []
    predicted = [layer.predicted_atoms for layer in status.layers]
    known = [number for number in predicted if number is not None]
    growing = any(layer.atoms for layer in status.layers) and (status.stage is None or status.stage.name == "reading")
    if known and len(known) == len(predicted) and growing and not status.ended:
        parts.append(f"about {sum(known):,} in the end")
    if sinks := sum(layer.sinks for layer in status.layers):
        parts.append(f"{sinks:,} attention sinks left out")
    return " · ".join(parts) or None


def _curves(request: TrainRequest, status: TrainingStatus) -> None:
    """Both over the same tokens. The first ones are told of together, as a batch of windows."""
    left, right = st.columns(2)
    start = begins_empty(request, status)
    names = [layer_name(layer) for layer in status.layers]
    with left:
        st.markdown("**Atoms** over tokens read")
        lines = {name: (*start, *layer.series_atoms) for name, layer in zip(names, status.layers, strict=True)}
        st.plotly_chart(
            figures_charts.curves((*start, *status.series_tokens), lines, y_title="atoms"),
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


def begins_empty(request: TrainRequest, status: TrainingStatus) -> tuple[int, ...]:
    """The point before a training's first batch, no atom after no token: (0,); () where it began with atoms."""
    first = status.series_tokens[0] if status.series_tokens else 0
    return (0,) if not request.initial and 0 < first <= WINDOWS_PER_BATCH * request.config.context else ()


def _rounds(status: TrainingStatus) -> None:
    """How well the atoms do while they are chosen; drawn once there is a line to draw."""
    lines: dict[str, list[float | None]] = {}
    last = max((chosen.rounds[-1] for chosen in status.rounds if chosen.rounds), default=0)
    for chosen in status.rounds:
        known = dict(zip(chosen.rounds, chosen.relative_error, strict=True))
        values = [known.get(number) for number in range(2, last + 1)]  # before the first round there were no atoms
        if sum(value is not None for value in values) > 1:
            lines[_name(chosen.site, chosen.layer)] = values
    if lines:
        st.markdown("**Relative error** over rounds of choosing atoms")
        figure = figures_charts.curves(range(2, last + 1), lines, y_title="relative error", x_title="round", decimals=4)
        st.plotly_chart(figure, key="train.curve.rounds", config=chart_config("error-over-rounds"))


def _latest(status: TrainingStatus, *, sized: bool) -> None:
    if sized:
        st.markdown("**Some of the atoms that were chosen**")
    else:
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
    shown = tuple(reversed(layer.latest))
    label_list(
        shown,
        empty="None yet." if sized else "None in the last batch.",
        key="train.latest",
        more=[atom.more for atom in shown],
    )


def layer_name(layer: LayerStatus) -> str:
    """What a layer is called on the page."""
    return _name(layer.site, layer.layer)


def _name(site: str, layer: int | None) -> str:
    return site if layer is None else f"layer {layer}"


def _title(job: Job[TrainRequest, TrainingStatus]) -> str:
    request = job.request
    return request.model.name if request.name is None else f"{request.name} · {request.model.name}"


def _under(request: TrainRequest) -> str:
    if request.layers is None:
        layers = "all layers"
    else:
        layers = f"layer{'' if len(request.layers) == 1 else 's'} {format_layers(request.layers)}"
    return f"{request.site}, {layers}, on {Path(request.corpus).name}"


def _files(job: Job[TrainRequest, TrainingStatus]) -> shell.Files:
    return {"JSON": (f"training-{job.id}.json", "application/json", lambda: job_watch.everything(job))}


VIEW = job_watch.View(TRAINING, _under, _figures, _files, title=_title, leads_to=_leads_to)
