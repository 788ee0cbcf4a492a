"""What the form of any kind of job ends with: the same in a terminal, the settings to take along, the Start button."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol, TypeVar

import streamlit as st

from itda_core.errors import UserError
from itda_core.files.without_paths import without_paths
from itda_core.runs.faults import Faults
from itda_core.runs.jobs.jobs import Jobs, command_of
from itda_core.runs.jobs.kinds import JobKind, JobRequest, kind_of
from itda_core.runs.units import duration
from pages.ui.components.plain_text import problem
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.frame import navigation, shell

R = TypeVar("R", bound=JobRequest)
MEND = "Mend what is marked red first."  # why a job cannot be started yet
Made = TypeVar("Made", bound=JobRequest, covariant=True)


class Asked(Protocol[Made]):
    """What a filled form holds."""

    def request(self, faults: Faults) -> Made | None:
        """What is asked for; all that is wrong with it goes to `faults`. Where something is, the request is not to be
        started, and None where there is none.
        """
        ...


def finish(
    frame: shell.Shell,
    kind: JobKind,
    asked: Asked[R],
    field_faults: FieldFaults,
    told_cost: Callable[[R, Faults], None],
) -> None:
    """What a new job will cost, its command and its Start button; what is wrong with the form beside its fields.

    told_cost: draws what it will take, and may find more that is wrong. As long as something is, the button is disabled
    and there is no command: it would not do what the form asks for.
    """
    faults = Faults()
    request = asked.request(faults)
    with st.container(border=True):
        if request is not None and not faults:
            with faults.caught():
                told_cost(request, faults)
        if request is not None and not faults:
            terminal(request)
            frame.export(exports(request))
        field_faults.show(faults)
        if faults:
            st.caption("The cost and the command are shown here once everything marked red is mended.")
        if start_button(kind, held_back=MEND if faults else "") and request is not None:
            _start(request, further=False)


def cost(told: str, seconds: tuple[float, float] | None, unknown_until: str) -> None:
    """What a job takes: `told` of its work, and the seconds (fast, slow); where these are None, until when that is."""
    if seconds is None:
        time = f"the time is known once {unknown_until}"
    else:
        time = "roughly " + " to ".join(dict.fromkeys(map(duration, seconds)))
    st.markdown("**What it will take**")
    st.caption(f"{told}: {time}. It goes on when this page is closed.")


def terminal(request: JobRequest, *, further: bool = False) -> None:
    """The command that does what the button does."""
    st.markdown("**The same in a terminal**")
    st.code(command_of(request, further=further), language="bash", wrap_lines=True)


def exports(request: JobRequest, *, further: bool = False) -> shell.Files:
    """The settings, to take along; only the command, which is for this machine, says where things lie here."""
    name = f"itda-{kind_of(request).noun}"
    return {
        "Settings (JSON)": (
            f"{name}.json",
            "application/json",
            lambda: json.dumps(without_paths(request.to_dict()), indent=2, ensure_ascii=False),
        ),
        "Command (shell script)": (
            f"{name}.sh",
            "text/x-shellscript",
            lambda: f"#!/bin/sh\n{command_of(request, further=further)}\n",
        ),
    }


def start_button(kind: JobKind, *, further: bool = False, held_back: str = "") -> bool:
    """The Start button; whether it was pressed. held_back: why it cannot be."""
    return st.button(
        "Go further" if further else f"Start {kind.noun}",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=bool(held_back),
        help=held_back or None,
        key=f"{kind.name}.start",
    )


def start(request: JobRequest, *, further: bool = False) -> None:
    """The Start button; a started job is shown at its own address."""
    if start_button(kind_of(request), further=further):
        _start(request, further=further)


def _start(request: JobRequest, *, further: bool) -> None:
    kind = kind_of(request)
    try:
        job = Jobs().start(request, further=further)
    except UserError as error:
        problem(error, key=f"{kind.name}.start.problem")
        return
    navigation.open_page(kind.page, {"job": job.id})
