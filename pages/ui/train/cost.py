"""What a training would take, before it starts."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from itda_core.errors import UserError
from itda_core.runs.costs.training import Estimate, estimate
from itda_core.runs.faults import Faults
from itda_core.runs.machine import machine
from itda_core.runs.training.checks import find_shortage
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.units import duration, size
from pages.ui.components.plain_text import fact_table

_PLANNED = "train.planned"  # in the session: a request, and what was said of it


def new_cost(request: TrainRequest, faults: Faults) -> None:
    """As `cost`, of a training that begins."""
    cost(request, faults)


def cost(request: TrainRequest, faults: Faults, *, read: int | None = None) -> None:
    """What the run would take, `read` tokens of it done already; what of it is not there goes to `faults`.

    Raises UserError when the layers do not exist.
    """
    expected = estimate(request)
    find_shortage(request, expected, machine(), faults)
    fact_table(cost_lines(expected, read), title="What it will cost", key="train.cost")
    with st.container(gap="xsmall"):
        for note in expected.notes:
            st.caption(note)
    _ways(request)


def _ways(request: TrainRequest) -> None:
    """Each way to place the weights and what it would take, when asked for: this machine is measured once for it."""
    planned = st.session_state.get(_PLANNED)
    if st.button(
        "Compare ways to run it",
        key="train.ways",
        icon=":material/compare_arrows:",
        help="The whole model in memory, streamed block by block, or offloaded: time, memory and disk of each. The "
        "first time, this machine's speed is measured for some seconds.",
    ):
        with st.spinner("Measuring this machine…"):
            planned = request, _plan_sentences(request)
        st.session_state[_PLANNED] = planned
    if planned is not None and planned[0] == request:
        with st.container(gap="xsmall"):
            for sentence in planned[1]:
                st.text(sentence)


def _plan_sentences(request: TrainRequest) -> list[str]:
    from itda_core.runs.costs.plan import plan
    from itda_core.runs.costs.plan_report import plan_lines

    tokens = request.config.tokens or estimate(request).tokens
    try:
        return plan_lines(plan(request.model, request.layers, replace(request.config, tokens=tokens)))
    except UserError as error:
        return [str(error)]


def cost_lines(expected: Estimate, read: int | None = None) -> dict[str, str]:
    """An estimate in words, unknown figures as a dash.

    `read`: tokens that were read earlier and are not read again; at a lower threshold, where there are no more than
    those, all are.
    """
    tokens, left = "—", 1.0  # left: the share of the text that is still to be read
    if expected.tokens is not None:
        tokens = f"about {expected.tokens:,}"
        if read and read < expected.tokens:
            tokens, left = f"{tokens}, {read:,} of them read already", 1 - read / expected.tokens
    much = "up to" if expected.assumed else "about"  # nobody knows yet how many atoms there will be
    lines = {
        "Tokens": tokens,
        "Dictionaries": "—" if expected.layers is None else f"{expected.layers}",
        "Time": "—" if expected.seconds is None else _time(expected.seconds, expected.once, left),
        "Memory": "—" if expected.memory is None else f"{much} {size(expected.memory)}",
        "Disk": "—" if expected.disk is None else f"{much} {size(expected.disk)}",
    }
    if expected.activations != 0:
        lines["Activations"] = "—" if expected.activations is None else f"about {size(expected.activations)} on disk"
    return lines


def _time(seconds: tuple[float, float], once: tuple[float, float], left: float) -> str:
    """From the least to the most; what is done once is done whatever is `left` of the text."""
    return " to ".join(duration(one + left * (time - one)) for time, one in zip(seconds, once, strict=True))
